import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { UsageError } from '../../src/errors.ts';
import {
  DEFAULT_STORE_DIR,
  hashPart,
  parseStorePath,
  printStorePath,
  type StorePath,
} from '../../src/formats/store-path.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { emptyStore, openTestStore, stage, temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { numberedObject } from '../support/numbered-objects.ts';
import { output } from '../support/run.ts';
import { add, comparable, makeBuiltObject, makeObject, narSource, readNar } from '../support/store-objects.ts';
import { noOrdinaryUser, ordinaryUsersDirectory, StoreProcess } from '../support/store-process-control.ts';
import { directory, file } from '../support/trees.ts';
import { conforms } from './conformance.ts';

conforms('a local store', (dir, resources) => openTestStore(dir, resources));
conforms('a local store opened for reading', async (dir, resources) => {
  const writer = await openTestStore(dir, resources);
  await writer.queryAllValidPaths(); // makes it
  return { writer, store: await openTestStore(`local?read-only=true&root=${dir}`, resources) };
});

const LEAF = makeObject(
  'leaf',
  directory({ bin: directory({ tool: file('#!/bin/sh\n', true) }), empty: directory({}) }),
);
const USER = makeObject('user', file('user'), { references: [LEAF.info.path] });
const BUILT = await makeBuiltObject('built', directory({ a: file('x') }), { references: [USER.info.path], self: true });
const ALL = [LEAF, USER, BUILT];
const full = (path: StorePath): string => printStorePath(DEFAULT_STORE_DIR, path);

/** What lies in the store directory and is no store object: lock files, staging. */
const litter = (store: LocalStore): string[] =>
  readdirSync(store.realStoreDir).filter((name) => name.endsWith('.lock') || name.includes('tmp-sluice'));

describe('a local store', () => {
  test('answers for many paths at once', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    await add(store, ...ALL);
    const unknown = Array.from({ length: 5_000 }, (_, id) => numberedObject(id % 10).info.path);
    const paths = ALL.map(({ info }) => info.path);
    assert.deepEqual(await store.queryValidPaths([...unknown, ...paths]), new Set(paths));
    assert.deepEqual(await store.queryAllValidPaths(), paths);
    assert.deepEqual(await store.queryReferrers(LEAF.info.path), [USER.info.path]);
    assert.equal(await store.queryPathFromHashPart(hashPart(USER.info.path)), USER.info.path);
  });

  test('leaves neither lock files nor staging behind', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    await add(store, ...ALL);
    await assert.rejects(store.addToStore(numberedObject(0).info, narSource(LEAF.nar)));
    assert.deepEqual(litter(store), []);
  });

  test('opens nothing before it is asked', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const store = await openTestStore(root, resources);
    await store[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(root), []);
  });

  test('hands out NARs without its database', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const store = await openTestStore(root, resources);
    mkdirSync(join(root, 'nix/store'), { recursive: true });
    stage({ dir: join(root, 'nix/store'), [Symbol.asyncDispose]: async () => {} }, LEAF);
    let read = 0;
    await store.narFromPath(LEAF.info, (chunk) => {
      read += chunk.length;
    });
    assert.equal(read, LEAF.nar.length);
    assert.deepEqual(readdirSync(join(root, 'nix')), ['store']);
  });

  test('opened for reading changes nothing', async () => {
    await using resources = new AsyncDisposableStack();
    const { root } = await emptyStore(resources);
    const store = await openTestStore(`local?read-only=true&root=${root}`, resources);
    const wanted = { code: 'ERR_STORE', message: /for reading only/ };
    await assert.rejects(store.addToStore(LEAF.info, narSource(LEAF.nar)), wanted);
    await assert.rejects(store.openStaging(), wanted);
    await assert.rejects(store.registerStaged([]), wanted);
    await assert.rejects(store.addTempRoots([LEAF.info.path]), wanted);
  });

  test('does not take a parameter that it does not know', async () => {
    await using resources = new AsyncDisposableStack();
    await assert.rejects(openTestStore('local?rot=/x', resources), UsageError);
  });

  test('refuses to be at a symlink', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'real'));
    symlinkSync('real', join(dir, 'link'));
    const store = await openTestStore(join(dir, 'link'), resources);
    await assert.rejects(store.queryAllValidPaths(), { code: 'ERR_STORE', message: /symlink/ });
  });

  test('works for an ordinary user', { skip: noOrdinaryUser }, async () => {
    await using resources = new AsyncDisposableStack();
    const root = await ordinaryUsersDirectory(resources);
    const user = resources.use(StoreProcess.startAsOrdinaryUser('add', root));
    const paths = [0, 1].map((id) => numberedObject(id).info.path);
    assert.deepEqual(await user.answer(), paths);
    const { mode, mtimeMs, uid } = lstatSync(join(root, 'nix/store', paths[0]!));
    assert.deepEqual([mode & 0o7777, mtimeMs, uid], [0o555, 1_000, lstatSync(root).uid]);
  });
});

describe('a local store and stock Nix', { skip: nixMissing }, () => {
  test('find the same in what was registered here, and nothing wrong with it', async () => {
    await using resources = new AsyncDisposableStack();
    const { root, store, staging } = await emptyStore(resources);
    const nix = await Nix.open(await temporaryDirectory(resources));
    await store.registerStaged(stage(staging, ...ALL));
    assert.deepEqual(await nix.problems(root), []);
    const top = full(BUILT.info.path);
    assert.deepEqual(await nix.closure(root, top), ALL.map(({ info }) => full(info.path)).sort());
    const infos = await nix.pathInfos(root, top);
    for (const { info } of ALL) {
      const theirs = infos.find(({ path }) => path === full(info.path));
      assert.deepEqual(theirs, {
        path: full(info.path),
        narHash: `sha256-${Buffer.from(info.narHash.digest).toString('base64')}`,
        narSize: info.narSize,
        references: info.references.map(full),
        ...(info.deriver !== undefined && { deriver: full(info.deriver) }),
        signatures: info.signatures,
      });
    }
  });

  test('find the same in what stock Nix wrote', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const nix = await Nix.open(await temporaryDirectory(resources));
    const source = join(await temporaryDirectory(resources), 'source');
    mkdirSync(join(source, 'bin'), { recursive: true });
    writeFileSync(join(source, 'bin/tool'), '#!/bin/sh\n', { mode: 0o755 });
    const added = (await nix.output('nix-store', '--store', root, '--add', source)).trim();

    const store = await openTestStore(root, resources);
    const path = parseStorePath(DEFAULT_STORE_DIR, added);
    const object = makeObject('source', directory({ bin: directory({ tool: file('#!/bin/sh\n', true) }) }));
    assert.deepEqual(await store.queryAllValidPaths(), [path]);
    assert.deepEqual(comparable(await store.queryPathInfo(path)), comparable(object.info));
    assert.ok((await readNar(store, path)).equals(object.nar));
  });

  test('take turns while both have it open, and stock Nix copies from it', async () => {
    await using resources = new AsyncDisposableStack();
    const { root, store, staging } = await emptyStore(resources);
    const nix = await Nix.open(await temporaryDirectory(resources));
    const copy = await temporaryDirectory(resources);
    const source = join(copy, 'source');
    writeFileSync(source, 'from stock Nix');

    await store.registerStaged(stage(staging, LEAF));
    const added = parseStorePath(
      DEFAULT_STORE_DIR,
      (await nix.output('nix-store', '--store', root, '--add', source)).trim(),
    );
    assert.ok(await store.isValidPath(added));
    const ours = makeObject('ours', file('needs both'), { references: [LEAF.info.path, added] });
    assert.deepEqual(
      (await store.registerStaged(stage(staging, ours))).map(({ state }) => state),
      ['registered'],
    );
    await nix.output('nix', 'copy', '--no-check-sigs', '--from', root, '--to', copy, full(ours.info.path));
    assert.deepEqual(await nix.problems(copy), []);
    assert.deepEqual(await nix.problems(root), []);
  });

  test('agree on which derivation has which output', async () => {
    await using resources = new AsyncDisposableStack();
    const [theirs, ours] = [await temporaryDirectory(resources), await temporaryDirectory(resources)];
    const nix = await Nix.open(await temporaryDirectory(resources));
    const expression = 'derivation { name = "x"; system = "s"; builder = "b"; outputs = [ "out" "dev" ]; }';
    const env = { ...nix.env, NIX_REMOTE: theirs };
    const drv = (await output('nix-instantiate', ['-E', expression], { env })).trim();
    const path = parseStorePath(DEFAULT_STORE_DIR, drv.replace(/!.*/, ''));

    const [from, to] = [await openTestStore(theirs, resources), await openTestStore(ours, resources)];
    const info = await from.queryPathInfo(path);
    await to.addToStore(info!, (sink) => from.narFromPath(info!, sink));
    const outputs = (root: string): Promise<string> =>
      nix.output('nix-store', '--store', root, '-q', '--outputs', full(path));
    assert.equal(await outputs(ours), await outputs(theirs));
    const sqlite = 'select id, path from DerivationOutputs order by id';
    const rows = await Promise.all([ours, theirs].map((root) => query(root, sqlite)));
    assert.equal(rows[0]?.length, 2);
    assert.deepEqual(rows[0], rows[1]);
  });
});

async function query(root: string, sql: string): Promise<unknown[]> {
  const { loadSqlite } = await import('../../src/stores/sqlite.ts');
  const options = { create: false, readOnly: true, fsyncMetadata: false };
  const connection = loadSqlite()(join(root, 'nix/var/nix/db/db.sqlite'), options);
  using cleanup = new DisposableStack();
  cleanup.defer(() => void connection.close());
  return connection.prepare(sql).all();
}
