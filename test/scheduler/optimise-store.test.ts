import assert from 'node:assert/strict';
import { chmodSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { WorkerPool } from '../../src/pool/worker-pool.ts';
import { optimiseStore } from '../../src/scheduler/optimise-store.ts';
import { verifyStore } from '../../src/scheduler/verify-store.ts';
import { makeSettings } from '../../src/settings.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { makeNode } from '../support/gc-store.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { add } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

const settings = makeSettings({ workerThreads: 2, fsyncStorePaths: false });
const COUNT = 30;
const objects = Array.from({ length: COUNT }, (_, index) =>
  makeNode(
    `tree-${index}`,
    {},
    directory({ common: file('common'), own: file(`own ${index}`), sub: directory({ common: file('common') }) }),
  ),
);

let resources: AsyncDisposableStack;
let store: LocalStore;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  store = await openTestStore(await temporaryDirectory(resources), resources, {
    requireSigs: false,
    fsyncStorePaths: false,
  });
  await add(store, ...objects);
});
afterEach(() => resources.disposeAsync());

const realPath = (index: number, name = ''): string => join(store.realPath(objects[index]!.info.path), name);

async function isIntact(): Promise<void> {
  const { problems } = await verifyStore({ store, contents: true, settings });
  assert.deepEqual(problems, []);
  const left = readdirSync(store.realStoreDir).filter((name) => name.startsWith('.'));
  assert.deepEqual(left, ['.links']);
}

describe('optimising a store', () => {
  test('makes equal files one, keeps what verifies, and says what it saved', async () => {
    const seen: number[] = [];
    const result = await optimiseStore({ store, settings, onProgress: ({ done }) => seen.push(done) });
    const filesLinked = 2 * COUNT - 1;
    assert.deepEqual(result, { filesLinked, bytesFreed: filesLinked * 'common'.length, problems: [] });
    assert.equal(seen.at(-1), COUNT);
    const inodes = objects.flatMap((_, index) =>
      ['common', 'sub/common'].map((name) => lstatSync(realPath(index, name)).ino),
    );
    assert.equal(new Set(inodes).size, 1);
    for (const dir of ['', 'sub']) {
      const { mode, mtimeMs } = lstatSync(realPath(3, dir));
      assert.deepEqual([mode & 0o777, mtimeMs], [0o555, 1000]);
    }
    await isIntact();
  });

  test('once more does nothing', async () => {
    await optimiseStore({ store, settings });
    assert.deepEqual(await optimiseStore({ store, settings }), { filesLinked: 0, bytesFreed: 0, problems: [] });
  });

  test('keeps files that somebody can write to as they are, and says so', async () => {
    chmodSync(realPath(5, 'common'), 0o644);
    const messages: string[] = [];
    const { filesLinked } = await optimiseStore({ store, settings, onMessage: (message) => messages.push(message) });
    assert.equal(filesLinked, 2 * COUNT - 2);
    assert.deepEqual(messages, [`skipping suspicious writable file '${realPath(5, 'common')}'`]);
    assert.equal(lstatSync(realPath(5, 'common')).nlink, 1);
  });

  test('does not spread a link that has rotted, and says so', async () => {
    await optimiseStore({ store, settings, paths: [objects[0]!.info.path] });
    const common = realPath(0, 'common');
    chmodSync(common, 0o644);
    writeFileSync(common, 'rotten');
    chmodSync(common, 0o444);
    const messages: string[] = [];
    await optimiseStore({ store, settings, onMessage: (message) => messages.push(message) });
    assert.match(messages.join(), /removing corrupted link/);
    for (let index = 1; index < COUNT; index++) assert.equal(readFileSync(realPath(index, 'common'), 'utf8'), 'common');
  });

  test('goes on with the others where the files of a path are gone', async () => {
    chmodSync(realPath(7), 0o755);
    chmodSync(realPath(7, 'sub'), 0o755);
    rmSync(realPath(7), { recursive: true });
    const { filesLinked, problems } = await optimiseStore({ store, settings });
    assert.equal(filesLinked, 2 * (COUNT - 1) - 1);
    assert.deepEqual(
      problems.map(({ message }) => /cannot optimise '.*-tree-7': ENOENT/.test(message)),
      [true],
    );
  });

  test('leaves a store that verifies when it is stopped in the middle', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const many = makeNode(
      'many',
      {},
      directory(Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`f${n}`, file(`${n % 7}`)]))),
    );
    await add(store, many);
    const pool = resources.use(new WorkerPool({ settings }));
    const run = pool.run.bind(pool);
    pool.run = (name, ...rest) => {
      const reply = run(name, ...rest);
      if (name === 'optimise') controller.abort(reason); // it is sent by then, and takes longer than this does
      return reply;
    };
    const stopped = optimiseStore({ store, settings, pool, signal: controller.signal });
    await assert.rejects(stopped, reason);
    await isIntact();
    await optimiseStore({ store, settings });
    await isIntact();
  });

  test('is refused on a store that is open for reading only', async () => {
    const reading = await openTestStore(`${store.uri}&read-only=true`, resources);
    await assert.rejects(optimiseStore({ store: reading, settings }), /reading only/);
  });
});
