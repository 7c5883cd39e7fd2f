/** `repair`, and `verify` where it repairs, on small stores. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { removeTree } from '../../../src/stores/remove-tree.ts';
import { cliOutput, runCli } from '../../support/cli.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { type SmallCache, smallCache } from '../../support/small-cache.ts';

/** A store whose first path is modified, and the cache that it comes from. */
async function damaged(resources: AsyncDisposableStack): Promise<{ store: string; cache: SmallCache; file: string }> {
  const home = await temporaryDirectory(resources);
  const cache = await smallCache(join(home, 'cache'));
  const store = join(home, 'store');
  await cliOutput(['realise', '-q', '--store', store, '--from', cache.uri, cache.paths[2]]);
  const file = join(store, cache.paths[0]);
  chmodSync(file, 0o644);
  writeFileSync(file, 'evil');
  return { store, cache, file };
}

describe('repair', () => {
  test('prints what is good in the end', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, cache, file } = await damaged(resources);
    const printed = await cliOutput(['repair', '-q', '--store', store, '--from', cache.uri, ...cache.paths]);
    assert.equal(printed, cache.paths.map((path) => `${path}\n`).join(''));
    assert.equal(readFileSync(file, 'utf8'), 'base\n'.repeat(1000));
  });

  test('tells with --json what it did', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, cache } = await damaged(resources);
    const json = await cliOutput(['repair', '-q', '--json', '--store', store, '--from', cache.uri, ...cache.paths]);
    assert.deepEqual(
      (JSON.parse(json) as { how: string }[]).map(({ how }) => how),
      ['repaired', 'alreadyValid', 'alreadyValid'],
    );
  });

  test('ends with 1 and says why where a path cannot be repaired', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, cache } = await damaged(resources);
    const { code, stdout, stderr } = await runCli(['repair', '--no-substitute', '--store', store, cache.paths[0]]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /error: cannot repair path '.*-base': there are no substituters\nhint: /);
  });
});

describe('verify --repair', () => {
  test('says what is wrong and what became of it', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, cache } = await damaged(resources);
    await removeTree(join(store, cache.paths[2]));
    const { code, stderr } = await runCli(['verify', '--repair', '--store', store, '-s', cache.uri]);
    assert.equal(code, 0);
    const said = stderr.replaceAll(/\/nix\/store\/[0-9a-z]{32}-/g, '').replaceAll(/sha256:\w+/g, 'HASH');
    assert.equal(
      said,
      [
        "path 'app-2.0' disappeared, removed from the database",
        "error: mismatch in path 'base': wanted HASH, got HASH",
        "repaired path 'base'",
        'checked 3 paths: 2 wrong, all mended',
        '',
      ].join('\n'),
    );
    assert.equal((await runCli(['verify', '--store', store])).stderr, 'checked 2 paths: nothing is wrong\n');
  });

  test('tells with --json what is left', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, cache } = await damaged(resources);
    const { code, stdout } = await runCli(['verify', '-q', '--json', '--repair', '--no-substitute', '--store', store]);
    const { problems } = JSON.parse(stdout) as {
      problems: { path: string; kind: string; remedy?: string; failure: { code: string } }[];
    };
    assert.equal(code, 1);
    assert.deepEqual(
      problems.map(({ path, kind, remedy, failure }) => [path, kind, remedy, failure.code]),
      [[cache.paths[0], 'modified', undefined, 'ERR_NO_SUBSTITUTERS']],
    );
  });

  test('refuses a number of signatures that is none', async () => {
    const { code, stderr } = await runCli(['verify', '--sigs-needed', 'many']);
    assert.equal(code, 1);
    assert.match(stderr, /'--sigs-needed' wants a number, got 'many'/);
  });
});
