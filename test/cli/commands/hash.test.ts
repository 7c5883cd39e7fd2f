import assert from 'node:assert/strict';
import { mkdir, mkdtempDisposable, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cliOutput, runCli } from '../../support/cli.ts';
import { Nix, nixMissing } from '../../support/nix.ts';

/** A directory with a file, an executable and a symlink. */
async function makeTree(dir: string): Promise<void> {
  await mkdir(join(dir, 'a'), { recursive: true });
  await writeFile(join(dir, 'a', 'file'), 'hello\n');
  await writeFile(join(dir, 'run'), '#!/bin/sh\n', { mode: 0o755 });
  await symlink('a/file', join(dir, 'link'));
}

describe('hash', { skip: nixMissing }, () => {
  const CALLS = [
    ['path', 'TREE'],
    ['path', '--base16', 'TREE'],
    ['path', '--type', 'sha1', '--base32', 'TREE'],
    ['path', '--type', 'sha512', 'TREE/a', 'TREE/run'],
    ['path', '--type', 'md5', '--base64', 'TREE/link'],
    ['file', 'TREE/run', 'TREE/a/file'],
    ['file', '--base32', '--type', 'sha256', 'TREE/link'],
  ];
  for (const call of CALLS) {
    test(`${call.join(' ')} prints what stock Nix prints`, async () => {
      await using tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
      await makeTree(join(tmp.path, 'tree'));
      const args = ['hash', ...call.map((word) => word.replace('TREE', join(tmp.path, 'tree')))];
      const nix = await Nix.open(join(tmp.path, 'home'));
      assert.equal(await cliOutput(args), await nix.output('nix', ...args));
    });
  }
});

/** Of the empty text; from `nix hash to-*`, Nix 2.8. */
const BASE16 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const SRI = 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
const NIX32 = '0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73';

const CONVERTED = [
  [['--to', 'base16', SRI], BASE16],
  [['--to', 'nix32', SRI], NIX32],
  [['--to', 'base32', `sha256:${BASE16}`], NIX32],
  [['--algo', 'sha256', NIX32], SRI],
  [['--algo', 'sha256', '--from', 'base16', '--to', 'base64', BASE16], SRI.slice(7)],
  [['--from', 'nix32', `sha256:${NIX32}`], SRI],
  [['--from', 'sri', '--to', 'sri', SRI], SRI],
] as const;

for (const [args, spelled] of CONVERTED) {
  test(`hash convert ${args.join(' ')} prints ${spelled}`, async () => {
    assert.equal(await cliOutput(['hash', 'convert', ...args]), `${spelled}\n`);
  });
}

const REJECTED = [
  [[BASE16], /names no algorithm/, 'no algorithm at all'],
  [['--algo', 'sha1', SRI], /wanted a sha1 hash/, 'another algorithm than asked for'],
  [['--from', 'nix32', SRI], /is not in format 'nix32'/, 'another format than asked for'],
  [['--from', 'sri', `sha256:${SRI.slice(7)}`], /is not in format 'sri'/, 'a prefix that is not that of SRI'],
  [['--algo', 'sha256', 'abc'], /has 3 digits/, 'the wrong number of digits'],
] as const;

for (const [args, message, what] of REJECTED) {
  test(`hash convert rejects ${what}`, async () => {
    const { code, stderr } = await runCli(['hash', 'convert', ...args]);
    assert.match(stderr, message);
    assert.equal(code, 1);
  });
}
