/** `ls`, `cat` and `path-info`: commands that ask any store, on a small binary cache. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { printHash } from '../../../src/formats/hash.ts';
import { cliOutput, runCli } from '../../support/cli.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { Nix, nixMissing } from '../../support/nix.ts';
import { type SmallCache, smallCache } from '../../support/small-cache.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let cache: SmallCache;
let nix: Nix;

before(async () => {
  dir = await temporaryDirectory(resources);
  cache = await smallCache(join(dir, 'cache'), '?compression=zstd');
  nix = await Nix.open(join(dir, 'home'));
});
after(() => resources.disposeAsync());

const MISSING = '/nix/store/00000000000000000000000000000000-missing';

describe('path-info', () => {
  const CALLS = [[], ['-s'], ['-S'], ['-r'], ['-rs'], ['-rsS'], ['-r', '--sigs'], ['-sS', '--sigs']];
  for (const options of CALLS) {
    test(`${options.join(' ')} prints what stock Nix prints`, { skip: nixMissing }, async () => {
      const args = ['path-info', ...options, '--store', cache.uri, cache.paths[2], cache.paths[1]];
      assert.equal(await cliOutput(args), await nix.output('nix', ...args));
    });
  }

  test('--json has the fields that stock Nix has, by path', { skip: nixMissing }, async () => {
    const args = ['path-info', '--json', '-r', '-S', '--store', cache.uri, cache.paths[2]];
    const ours = JSON.parse(await cliOutput(args)) as Record<string, Record<string, unknown>>;
    // Nix 2.8 has an array, and leaves out what is not known.
    const stock = JSON.parse(await nix.output('nix', ...args)) as Record<string, unknown>[];
    assert.deepEqual(Object.keys(ours).sort(), cache.paths.toSorted());
    for (const { path, ...fields } of stock) {
      for (const [name, value] of Object.entries(fields)) assert.deepEqual(ours[path as string]?.[name], value, name);
    }
  });

  test('--json says null of what is not valid', async () => {
    assert.equal(await cliOutput(['path-info', '--json', '--store', cache.uri, MISSING]), `{"${MISSING}":null}\n`);
  });

  test('--json-format 2 has base names, and says its version', async () => {
    const args = ['path-info', '--json', '--json-format', '2', '--store', cache.uri, cache.paths[1]];
    const { info, version, storeDir } = JSON.parse(await cliOutput(args)) as {
      info: Record<string, { references: unknown; narHash: unknown }>;
      version: number;
      storeDir: string;
    };
    assert.deepEqual([version, storeDir], [2, '/nix/store']);
    assert.deepEqual(info[cache.lib.info.path]?.references, [cache.base.info.path]);
    assert.equal(info[cache.lib.info.path]?.narHash, printHash(cache.lib.info.narHash, 'sri'));
  });

  test('-h prints sizes for people', async () => {
    const args = ['path-info', '-sh', '--store', cache.uri, cache.paths[0]];
    assert.equal(await cliOutput(args), `${cache.paths[0]}\t   5.0 KiB\n`);
  });

  test('paths come from the standard input as well', async () => {
    const args = ['path-info', '--stdin', '--store', cache.uri, cache.paths[0]];
    const expected = `${cache.paths[0]}\n${cache.paths[1]}\n`;
    assert.equal(await cliOutput(args, { input: `${cache.paths[1]}\n\n ${cache.paths[0]}` }), expected);
  });

  test('a path that is not valid is an error', async () => {
    const { code, stderr } = await runCli(['path-info', '--store', cache.uri, MISSING]);
    assert.equal(stderr, `error: path '${MISSING}' is not valid in store '${cache.uri}'\n`);
    assert.equal(code, 1);
  });

  test('a closure with a hole is an error, and not a smaller closure', async () => {
    const broken = await smallCache(join(dir, 'broken'));
    await rm(join(broken.dir, `${broken.base.info.path.slice(0, 32)}.narinfo`));
    const { code, stderr } = await runCli(['path-info', '-S', '--store', broken.uri, broken.paths[2]]);
    assert.equal(stderr, `error: path '${broken.paths[0]}' is not valid in store '${broken.uri}'\n`);
    assert.equal(code, 1);
  });
});

describe('ls', { skip: nixMissing }, () => {
  for (const [options, path] of [
    ['', ''],
    ['-l', ''],
    ['-lR', ''],
    ['-R', '/share'],
    ['-l', '/bin/app-link'],
    ['-ld', '/bin'],
  ] as const) {
    test(`${options} PATH${path} prints what stock Nix prints`, async () => {
      const args = [...(options === '' ? [] : [options]), '--store', cache.uri, cache.paths[2] + path];
      assert.equal(await cliOutput(['ls', ...args]), await nix.output('nix', 'store', 'ls', ...args));
    });
  }

  test('--json -R means what stock Nix says', async () => {
    const args = ['--json', '-R', '--store', cache.uri, cache.paths[2]];
    const ours = (await cliOutput(['ls', ...args])).replaceAll('"executable":false,', '');
    assert.deepEqual(JSON.parse(ours), JSON.parse(await nix.output('nix', 'store', 'ls', ...args)));
  });
});

test('ls names the store path and what is not in it', async () => {
  const { code, stderr } = await runCli(['ls', '--store', cache.uri, `${cache.paths[2]}/nope`]);
  assert.equal(stderr, `error: '${cache.paths[2]}' holds no '/nope'\n`);
  assert.equal(code, 1);
});

test('cat prints a file', async () => {
  assert.equal(await cliOutput(['cat', '--store', cache.uri, `${cache.paths[2]}/bin/app`]), '#!/bin/sh\n');
  assert.equal(await cliOutput(['cat', '--store', cache.uri, cache.paths[0]]), 'base\n'.repeat(1000));
});

test('cat of contents that are not what the store says ends with an error', async () => {
  const other = await smallCache(join(dir, 'corrupt'), '?compression=none');
  const narInfo = await cliOutput(['path-info', '--json', '--store', other.uri, other.paths[0]]);
  const { url } = (JSON.parse(narInfo) as Record<string, { url: string }>)[other.paths[0]]!;
  await writeFile(
    join(other.dir, url),
    Buffer.from(other.base.nar.toString('latin1').replace('base', 'ease'), 'latin1'),
  );
  const { code, stderr } = await runCli(['cat', '--store', other.uri, other.paths[0]]);
  assert.match(stderr, /^error: mismatch in NAR of/);
  assert.equal(code, 1);
});
