import assert from 'node:assert/strict';
import { mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cliOutput, runCli } from '../../support/cli.ts';
import { Nix, nixMissing } from '../../support/nix.ts';
import { sluice } from '../../support/run.ts';
import { directory, file, narOf } from '../../support/trees.ts';

const TREE = directory({
  a: directory({ x: file('hi\n'), empty: directory({}) }),
  b: directory({ l: { type: 'symlink', target: '../a/x' } }),
  run: file('#!/bin/sh\n', true),
});

/** A directory with the file `nar`, the NAR of {@link TREE}. */
async function withNar() {
  const tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
  const nar = join(tmp.path, 'nar');
  await writeFile(nar, narOf(TREE));
  return { dir: tmp.path, nar, [Symbol.asyncDispose]: () => tmp.remove() };
}

test('what is restored and dumped again is the same', async () => {
  await using tmp = await withNar();
  const copy = join(tmp.dir, 'copy');
  await cliOutput(['nar', 'restore', copy], { input: narOf(TREE) });
  assert.equal(await readFile(join(copy, 'a/x'), 'utf8'), 'hi\n');
  assert.equal((await stat(join(copy, 'run'))).mode & 0o777, 0o555);
  assert.equal(await cliOutput(['nar', 'dump', copy]), narOf(TREE).toString());
});

test('restoring over something that exists is refused', async () => {
  await using tmp = await withNar();
  const { code, stderr } = await runCli(['nar', 'restore', tmp.nar], { input: narOf(file('x')) });
  assert.match(stderr, /exist/);
  assert.equal(code, 1);
  assert.deepEqual(await readFile(tmp.nar), narOf(TREE));
});

test('a truncated NAR is told', async () => {
  await using tmp = await withNar();
  const { code, stderr } = await runCli(['nar', 'restore', join(tmp.dir, 'x')], {
    input: narOf(TREE).subarray(0, 300),
  });
  assert.match(stderr, /the archive ends early/);
  assert.equal(code, 1);
});

describe('nar ls', { skip: nixMissing }, () => {
  const CALLS = [
    ['/'],
    ['-l', '/'],
    ['-lR', '/'],
    ['-R', '/a'],
    ['-lR', '/run'],
    ['-l', '/b/l'],
    ['-d', '/'],
    ['-ld', '/a'],
    ['-ldR', '/'],
  ];
  for (const call of CALLS) {
    test(`${call.join(' ')} prints what stock Nix prints`, async () => {
      await using tmp = await withNar();
      const nix = await Nix.open(join(tmp.dir, 'home'));
      const [path, ...options] = call.toReversed();
      const stock = await nix.output('nix', 'nar', 'ls', ...options, tmp.nar, path!);
      assert.equal(await cliOutput(['nar', 'ls', ...options, tmp.nar, path!]), stock);
    });
  }
});

test('nar ls reads the standard input, and lists the root by itself', async () => {
  assert.equal(await cliOutput(['nar', 'ls', '-'], { input: narOf(TREE) }), './a\n./b\n./run\n');
});

test('nar ls --json lists what is below, or only names it', async () => {
  await using tmp = await withNar();
  assert.equal(
    await cliOutput(['nar', 'ls', '--json', tmp.nar, 'a']),
    '{"entries":{"empty":{},"x":{}},"type":"directory"}\n',
  );
  const deep = JSON.parse(await cliOutput(['nar', 'ls', '--json', '-R', tmp.nar])) as { entries: { run: object } };
  assert.deepEqual(deep.entries.run, { executable: true, narOffset: 1152, size: 10, type: 'regular' });
});

test('names go to a file as they are, and to a terminal without what it might obey', async () => {
  const input = narOf(directory({ 'a\u001b[31mred': file('') }));
  assert.equal(await cliOutput(['nar', 'ls', '-'], { input }), './a\u001b[31mred\n');
  assert.equal(await cliOutput(['nar', 'ls', '-'], { input, isTerminal: true }), './a?[31mred\n');
});

test('nar cat prints a file, whatever bytes it holds', async () => {
  await using tmp = await withNar();
  const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251));
  await writeFile(
    tmp.nar,
    narOf(directory({ before: file('x'), data: file(bytes.toString('latin1')), later: file('y') })),
  );
  const { stdout, code } = await sluice(['hash', 'file', tmp.nar]);
  assert.match(stdout, /^sha256-/);
  assert.equal(code, 0);
  assert.equal(await cliOutput(['nar', 'cat', tmp.nar, '/data']), bytes.toString());
});

const NO_FILE = [
  ['/nope', /holds no '\/nope'/],
  ['/a', /'\/a' in '.*' is a directory\nhint: /],
  ['/b/l', /is a symlink/],
  ['/', /is a directory/],
] as const;

for (const [path, message] of NO_FILE) {
  test(`nar cat says why there is nothing to print at ${path}`, async () => {
    await using tmp = await withNar();
    const { code, stderr, stdout } = await runCli(['nar', 'cat', tmp.nar, path]);
    assert.match(stderr, message);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  });
}

test('nar ls rejects options that contradict each other', async () => {
  const { code, stderr } = await runCli(['nar', 'ls', '--json', '-d', '-'], { input: narOf(TREE) });
  assert.match(stderr, /'--directory' is useless with '--json'/);
  assert.equal(code, 1);
});
