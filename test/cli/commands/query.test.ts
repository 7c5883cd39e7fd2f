/** `query`, `why-depends` and `store`: flags, errors and JSON; test/interop/queries.test.ts has what stock Nix prints. */
import assert from 'node:assert/strict';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { printHash } from '../../../src/formats/hash.ts';
import { printStorePath } from '../../../src/formats/store-path.ts';
import { cliOutput, runCli } from '../../support/cli.ts';
import { openTestStore, temporaryDirectory } from '../../support/local-store.ts';
import { type SmallCache, smallCache } from '../../support/small-cache.ts';
import { add, makeObject } from '../../support/store-objects.ts';
import { directory, file } from '../../support/trees.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let root: string;
let cache: SmallCache;
let base: string;
let lib: string;
let app: string;
/** Names `lib` in a file whose name is no text. */
let user: string;

before(async () => {
  dir = await temporaryDirectory(resources);
  root = join(dir, 'root');
  cache = await smallCache(join(dir, 'cache'), '?compression=none');
  [base, lib, app] = cache.paths;
  await using opened = new AsyncDisposableStack();
  const store = await openTestStore(root, opened);
  const tree = directory({ 'odd\xff\x1b': file(`see ${lib}/lib.so`) });
  const object = makeObject('user', tree, { references: [cache.lib.info.path] });
  await add(store, cache.base, cache.lib, cache.app, object);
  user = printStorePath(store.storeDir, object.info.path);
});
after(() => resources.disposeAsync());

const query = (...args: readonly string[]): Promise<string> => cliOutput(['query', '--store', root, ...args]);

describe('query', () => {
  test('prints JSON: arrays of paths, values by path, graphs by path', async () => {
    assert.deepEqual(JSON.parse(await query('--json', '-R', app)), [base, lib, app]);
    assert.deepEqual(JSON.parse(await query('--json', '--size', base)), { [base]: cache.base.info.narSize });
    const hash = printHash(cache.base.info.narHash, 'nix32');
    assert.deepEqual(JSON.parse(await query('--json', '--hash', base)), { [base]: hash });
    assert.deepEqual(JSON.parse(await query('--json', '--deriver', base)), { [base]: null });
    const graph = { [base]: [], [lib]: [base], [app]: [lib] };
    for (const kind of ['--tree', '--graph', '--graphml']) {
      assert.deepEqual(JSON.parse(await query('--json', kind, app)), graph);
    }
  });

  test('reads paths from the standard input, and symlinks that lead to them', async () => {
    await symlink(app, join(dir, 'result'));
    const text = await cliOutput(['query', '--store', root, '--resolve', '--stdin', join(dir, 'result')], {
      input: ` ${base}\n\n${lib}/lib.so `,
    });
    assert.equal(text, `${app}\n${base}\n${lib}\n`);
    assert.equal(await cliOutput(['query', '--store', root, '-R', '--stdin']), '');
  });

  test('has the other spellings of nix-store', async () => {
    assert.equal(await query('--referers', base), `${lib}\n`);
    assert.equal(await query('--referers-closure', app), `${app}\n`);
  });

  /** What is asked, and what the error says. */
  const REFUSED = [
    [['-R', '--size', 'BASE'], /only one of '--requisites', '--size' can be asked at once/],
    [['-R'], /no store paths are given/],
    [['--references', '/etc'], /path '\/etc' is not in the store directory '\/nix\/store'/],
    [['--no-such', 'BASE'], /unknown option '--no-such'/],
  ] as const;
  for (const [args, message] of REFUSED) {
    test(`refuses ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await runCli([
        'query',
        '--store',
        root,
        ...args.map((arg) => (arg === 'BASE' ? base : arg)),
      ]);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    });
  }

  test('a binary cache says what leads from a path, and not what leads to it', async () => {
    assert.equal(await cliOutput(['query', '--store', cache.uri, '-R', app]), `${base}\n${lib}\n${app}\n`);
    for (const kind of ['--referrers', '--referrers-closure', '--valid-derivers']) {
      const { code, stderr } = await runCli(['query', '--store', cache.uri, kind, app]);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`'${kind}' can only be asked of a local store`));
    }
  });
});

describe('why-depends', () => {
  test('prints the paths on the way as JSON', async () => {
    const why = async (...args: readonly string[]): Promise<unknown> =>
      JSON.parse(await cliOutput(['why-depends', '--json', '--store', root, ...args]));
    assert.deepEqual(await why(app, base), [app, lib, base]);
    assert.deepEqual(await why('--all', app, base), { [app]: [lib], [lib]: [base], [base]: [] });
    assert.equal(await why(base, app), null);
  });

  test('prints names of files as they are, but harmless on a terminal', async () => {
    const args = ['why-depends', '--precise', '--store', root, user, lib];
    // What is no UTF-8 the test sees as the replacement character.
    const plain = await cliOutput(args);
    assert.ok(plain.includes(`└───odd\u{fffd}\x1b: …see ${lib}/lib.so…\n    → ${lib}\n`), plain);
    const coloured = await cliOutput(args, { isTerminal: true });
    assert.ok(coloured.includes('└───odd\u{fffd}?: …see /nix/store/\x1b[32;1m'), coloured);
  });

  test('reads a binary cache as well', async () => {
    const text = await cliOutput(['why-depends', '--store', cache.uri, app, base]);
    assert.equal(text, `${app}\n└───${lib}\n    └───${base}\n`);
  });

  test('refuses a path that is not valid, and --json with --precise', async () => {
    const missing = '/nix/store/00000000000000000000000000000000-missing';
    assert.match((await runCli(['why-depends', '--store', root, missing, base])).stderr, /is not valid in store/);
    const { code } = await runCli(['why-depends', '--json', '--precise', '--store', root, app, base]);
    assert.equal(code, 1);
  });
});

describe('store', () => {
  test('info describes a local store', async () => {
    const narSize = [cache.base, cache.lib, cache.app].reduce((sum, { info }) => sum + info.narSize, 0);
    const info = JSON.parse(await cliOutput(['store', 'info', '--json', '--store', root])) as Record<string, unknown>;
    assert.equal(info.url, `local?root=${root}`);
    assert.deepEqual([info.storeDir, info.schema, info.trusted, info.writable], ['/nix/store', 10, true, true]);
    assert.equal(info.validPaths, 4);
    assert.ok(Number(info.narSize) > narSize && Number(info.diskFree) <= Number(info.diskSize));
    const text = await cliOutput(['store', 'info', '--store', root]);
    assert.match(text, /^Store URL: local\?root=.*\nTrusted: 1\nStore directory: \/nix\/store, in /);
    assert.match(text, /\nValid paths: 4\n/);
  });

  test('info describes a binary cache, and fails where there is none', async () => {
    const info = await cliOutput(['store', 'info', '--json', '--store', cache.uri]);
    const { url, ...said } = JSON.parse(info) as Record<string, unknown>;
    assert.match(String(url), /^file:\/\//);
    assert.deepEqual(said, { storeDir: '/nix/store', priority: 50, wantMassQuery: false });
    await writeFile(join(cache.dir, 'nix-cache-info'), 'StoreDir: /nix/store\nPriority: 12\nWantMassQuery: 1\n');
    const text = await cliOutput(['store', 'info', '--store', cache.uri]);
    assert.match(text, /\nPriority: 12\nWants mass queries: yes\n$/);
  });

  test('load-db takes what dump-db printed, and says of how many paths there are no files', async () => {
    const dump = await cliOutput(['store', 'dump-db', '--store', root]);
    const empty = join(dir, 'empty');
    const { code, stdout, stderr } = await runCli(['store', 'load-db', '-v', '--store', empty], { input: dump });
    assert.deepEqual([code, stdout], [0, '']);
    assert.match(stderr, /4 paths have become valid, 0 have changed\nwarning: of 4 of these paths nothing is in /);
    assert.equal(await cliOutput(['store', 'dump-db', '--store', empty]), dump);
    assert.equal(await cliOutput(['store', 'dump-db', '--store', cache.uri, base]), dumpOf(dump, base));
  });

  test('load-db refuses a text that is none, and any store but a local one', async () => {
    const { code, stderr } = await runCli(['store', 'load-db', '--store', root], { input: 'hello\n' });
    assert.equal(code, 1);
    assert.match(stderr, /invalid registration at byte 6/);
    assert.match((await runCli(['store', 'load-db', '--store', cache.uri])).stderr, /is no local store/);
  });
});

/** The lines of one path that has no references. */
function dumpOf(dump: string, path: string): string {
  const start = dump
    .split('\n')
    .findIndex((line, index, all) => line === path && /^[0-9a-f]{64}$/.test(all[index + 1] ?? ''));
  return dump
    .split('\n')
    .slice(start, start + 5)
    .map((line) => `${line}\n`)
    .join('');
}
