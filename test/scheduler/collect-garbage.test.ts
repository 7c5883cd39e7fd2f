import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, linkSync, mkdirSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import type { StorePath } from '../../src/formats/store-path.ts';
import { WorkerPool } from '../../src/pool/worker-pool.ts';
import {
  type CollectOptions,
  type CollectResult,
  collectGarbage,
  findGarbage,
} from '../../src/scheduler/collect-garbage.ts';
import { makeSettings } from '../../src/settings.ts';
import { loadLibc } from '../../src/stores/libc.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { full, makeDerivation, makeNode, type NodeOptions, pathOf } from '../support/gc-store.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { add, type StoreObject } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

const settings = makeSettings({ workerThreads: 1 });

interface Fixture {
  readonly root: string;
  readonly store: LocalStore;
  /** Adds a path, after those that it refers to. */
  put(name: string, options?: NodeOptions, size?: number): Promise<StorePath>;
  putObject(object: StoreObject): Promise<StorePath>;
  /** Makes a path a root. */
  keep(path: StorePath): void;
  collect(options?: Partial<CollectOptions>): Promise<CollectResult>;
  valid(): Promise<StorePath[]>;
}

async function open(resources: AsyncDisposableStack): Promise<Fixture> {
  const root = await temporaryDirectory(resources);
  {
    // Its temporary roots would keep all that is put there.
    await using filling = new AsyncDisposableStack();
    await (await openTestStore(root, filling)).open();
  }
  const store = await openTestStore(root, resources);
  const pool = resources.use(new WorkerPool({ settings }));
  const putObject = async (object: StoreObject): Promise<StorePath> => {
    await using filling = new AsyncDisposableStack();
    await add(await openTestStore(root, filling), object);
    return object.info.path;
  };
  return {
    root,
    store,
    put: (name, options, size = 10) =>
      putObject(makeNode(name, options, directory({ dir: directory({ file: file('x'.repeat(size)) }) }))),
    putObject,
    keep: (path) => symlinkSync(full(path), join(store.stateDir, 'gcroots', path)),
    collect: (options) => collectGarbage({ store, settings, pool, ...options }),
    valid: async () => (await store.queryAllValidPaths()).sort(),
  };
}

function exists({ store }: Fixture, path: StorePath): boolean {
  return existsSync(store.realPath(path));
}

describe('a collection', () => {
  test('deletes what no root keeps, and what killed processes left', async () => {
    await using resources = new AsyncDisposableStack();
    const fixture = await open(resources);
    const { store, put, keep, collect, valid } = fixture;
    const kept = await put('kept');
    const root = await put('root', { references: [kept] });
    const dead = await put('dead', { references: [kept] });
    const deadReferrer = await put('dead-referrer', { references: [dead] });
    keep(root);
    writeFileSync(store.realPath(pathOf('leftover')), '12345');
    mkdirSync(join(store.realStoreDir, 'tmp-1-2/deep'), { recursive: true });
    const deleted: string[] = [];
    const result = await collect({ onDeleted: (path) => deleted.push(path) });
    assert.deepEqual(await valid(), [kept, root].sort());
    assert.deepEqual(readdirSync(store.realStoreDir).sort(), ['.links', kept, root].sort());
    assert.deepEqual(deleted, ['/nix/store/tmp-1-2', full(pathOf('leftover')), full(deadReferrer), full(dead)]);
    assert.deepEqual(result, { deleted: 4, bytesFreed: 25, problems: [], refused: [], saved: 0 });
    assert.ok(exists(fixture, kept) && exists(fixture, root));
  });

  test('stops when enough is free, and has deleted the oldest by then', async () => {
    await using resources = new AsyncDisposableStack();
    const { put, collect, valid } = await open(resources);
    const paths = [];
    for (let index = 0; index < 6; index++) paths.push(await put(`p${index}`, {}, 1000));
    const { deleted, bytesFreed } = await collect({ maxFreed: 2500 });
    assert.deepEqual([deleted, bytesFreed], [3, 3000]);
    assert.deepEqual(await valid(), paths.slice(3).sort());
    assert.equal((await collect({ maxFreed: 0 })).deleted, 0);
  });

  test('deletes files in .links that nothing shares any more', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, put, keep, collect } = await open(resources);
    const links = join(store.realStoreDir, '.links');
    const [kept, other, dead] = [await put('kept', {}, 70), await put('other', {}, 70), await put('dead', {}, 70)];
    [kept, other].forEach(keep);
    const fileOf = (path: StorePath): string => join(store.realPath(path), 'dir/file');
    linkSync(fileOf(kept), join(links, 'shared'));
    linkSync(fileOf(kept), join(store.realPath(other), 'again'));
    linkSync(fileOf(dead), join(links, 'dead'));
    const { bytesFreed, saved } = await collect();
    assert.deepEqual(readdirSync(links), ['shared']);
    assert.equal(bytesFreed, 70);
    assert.equal(saved, 70);
  });

  test('leaves alone what others have locked, and links that are just being made', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, collect } = await open(resources);
    const at = (name: string): string => join(store.realStoreDir, name);
    const lockFile = `${pathOf('locked')}.lock`;
    mkdirSync(at('tmp-3-4'));
    for (const name of [lockFile, `${pathOf('free')}.lock`, '.tmp-link-1-2', '.tmp-link-old'])
      writeFileSync(at(name), '');
    for (const name of ['tmp-3-4', lockFile]) {
      const fd = resources.adopt(openSync(at(name), 'r'), (each) => closeSync(each));
      assert.ok(loadLibc().tryLock(fd, 'exclusive', name));
    }
    const { deleted } = await collect();
    assert.deepEqual(
      readdirSync(store.realStoreDir).sort(),
      ['.links', '.tmp-link-1-2', '.tmp-link-old', lockFile, 'tmp-3-4'].sort(),
    );
    assert.equal(deleted, 1);
  });

  test('spares what becomes a root while it runs, with all that this needs', async () => {
    await using resources = new AsyncDisposableStack();
    const fixture = await open(resources);
    const { root, put, collect, valid } = fixture;
    const deep = await put('deep');
    const derivation = makeDerivation('maker', ['out']);
    const maker = await fixture.putObject(derivation);
    const late = await put('late', { path: derivation.outputs[0]!, references: [deep], deriver: maker });
    const dead = await put('dead', { references: [deep] });
    const other = await openTestStore(root, resources);
    await other.open();
    let adding: Promise<void> | undefined;
    await collect({
      onMessage: (text) => {
        if (text.startsWith('finding')) adding = other.addTempRoots([late]);
      },
    });
    await adding;
    assert.deepEqual(await valid(), [deep, late, maker].sort());
    assert.ok(exists(fixture, deep) && exists(fixture, late) && !exists(fixture, dead));
  });

  test('spares what somebody has come to refer to without a word', async () => {
    await using resources = new AsyncDisposableStack();
    const fixture = await open(resources);
    const { put, collect, valid, store } = fixture;
    const deep = await put('deep');
    const dead = await put('dead', { references: [deep] });
    const gone = await put('gone');
    await collect({
      onMessage: (text) => {
        if (!text.startsWith('deleting garbage')) return;
        using database = new SecondConnection(join(store.stateDir, 'db/db.sqlite'));
        database.connection
          .prepare("insert into ValidPaths (path, hash, registrationTime) values (?, 'sha256:00', 1)")
          .run(full(pathOf('new')));
        database.connection
          .prepare('insert into Refs select max(id), (select id from ValidPaths where path = ?) from ValidPaths')
          .run(full(dead));
      },
    });
    assert.deepEqual(await valid(), [deep, dead, pathOf('new')].sort());
    assert.ok(exists(fixture, dead) && exists(fixture, deep) && !exists(fixture, gone));
  });

  test('lets the store that it works on register the same path again', async () => {
    await using resources = new AsyncDisposableStack();
    const fixture = await open(resources);
    const { store, put, collect, valid } = fixture;
    const reference = makeNode('reference');
    const path = await put('path', { references: [await put('reference')] });
    assert.ok(await store.isValidPath(path));
    await collect();
    assert.deepEqual(await valid(), []);
    await add(store, reference, makeNode('path', { references: [reference.info.path] }));
    assert.deepEqual(await valid(), [path, reference.info.path].sort());
  });

  test('ends when it is told to, and the store is whole', async () => {
    await using resources = new AsyncDisposableStack();
    const { put, collect, valid, store } = await open(resources);
    await put('dead');
    const controller = new AbortController();
    const onMessage = (): void => controller.abort();
    await assert.rejects(collect({ signal: controller.signal, onMessage }), { name: 'AbortError' });
    assert.equal((await valid()).length, 1);
    assert.deepEqual(readdirSync(store.realStoreDir).length, 2);
    await collect();
    assert.deepEqual(await valid(), []);
  });

  for (const after of [0, 1, 600, 900]) {
    test(`that is killed after ${after} paths leaves nothing valid that is not there`, async () => {
      await using resources = new AsyncDisposableStack();
      const root = await temporaryDirectory(resources);
      {
        await using filling = new AsyncDisposableStack();
        const store = await openTestStore(root, filling, { fsyncStorePaths: false });
        const staging = filling.use(await store.openStaging());
        const objects = Array.from({ length: 1_000 }, (_, index) =>
          makeNode(`n${index}`, { references: index > 0 ? [pathOf(`n${index - 1}`)] : [] }),
        );
        const batch = objects.map(({ info }) => ({ info, location: join(staging.dir, info.path) }));
        for (const { location } of batch) writeFileSync(location, 'x');
        await store.registerStaged(batch);
      }
      using child = spawn(process.execPath, [
        fileURLToPath(new URL('../support/gc-process.ts', import.meta.url)),
        root,
      ]);
      let seen = 0;
      const lines = createInterface(child.stdout!);
      if (after === 0) setTimeout(() => child.kill('SIGKILL'), 250);
      lines.on('line', () => {
        if (++seen === after) child.kill('SIGKILL');
      });
      await once(child, 'close');
      const store = await openTestStore(root, resources);
      const valid = await store.queryAllValidPaths();
      for (const path of valid) assert.ok(existsSync(store.realPath(path)), `${path} is there`);
      await collectGarbage({ store, settings });
      assert.deepEqual(await store.queryAllValidPaths(), []);
      assert.deepEqual(readdirSync(store.realStoreDir), ['.links']);
    });
  }
});

/** A second connection to a database. */
class SecondConnection implements Disposable {
  readonly connection: Database.Database;
  constructor(file: string) {
    this.connection = new Database(file, { timeout: 10_000 });
  }
  [Symbol.dispose](): void {
    this.connection.close();
  }
}

describe('deleting single paths', () => {
  test('is refused with the way from a root, and done where nothing keeps them but each other', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, put, keep, collect, valid } = await open(resources);
    const deep = await put('deep');
    const middle = await put('middle', { references: [deep] });
    const top = await put('top', { references: [middle] });
    keep(top);
    const dead = await put('dead');
    const deadReferrer = await put('dead-referrer', { references: [dead] });
    const from = join(store.stateDir, 'gcroots', top);
    assert.deepEqual((await collect({ paths: [deep] })).refused, [
      { path: deep, root: from, way: [top, middle, deep] },
    ]);
    assert.deepEqual((await collect({ paths: [dead] })).refused, [
      { path: dead, root: undefined, way: [deadReferrer, dead] },
    ]);
    assert.equal((await valid()).length, 5);
    assert.deepEqual(
      (await findGarbage({ store, settings, paths: [dead, deadReferrer, deep] })).dead,
      [dead, deadReferrer].sort(),
    );
    const { deleted, refused } = await collect({ paths: [dead, deadReferrer] });
    assert.deepEqual([deleted, refused], [2, []]);
    assert.deepEqual(await valid(), [deep, middle, top].sort());
  });

  test('keeps a derivation whose output is alive, unless liveness is ignored', async () => {
    await using resources = new AsyncDisposableStack();
    const { put, putObject, keep, collect, valid } = await open(resources);
    const derivation = makeDerivation('d', ['out']);
    const path = await putObject(derivation);
    const out = await put('out', { path: derivation.outputs[0]!, deriver: path });
    keep(out);
    assert.deepEqual(
      (await collect({ paths: [path] })).refused.map(({ way }) => way),
      [[out, path]],
    );
    assert.deepEqual((await collect({ paths: [path], ignoreLiveness: true })).refused, []);
    assert.deepEqual(await valid(), [out]);
  });

  test('of a path that is a temporary root is refused whatever is asked', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, put, collect } = await open(resources);
    const path = await put('path');
    await store.addTempRoots([path]);
    const { refused } = await collect({ paths: [path], ignoreLiveness: true });
    assert.match(refused[0]?.root ?? '', /^\{temp:/);
  });
});
