import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { listPaths } from '../../../src/cli/bench/list-paths.ts';
import { randomPath, TimedQueries } from '../../../src/cli/bench/timed-queries.ts';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import { makeSettings } from '../../../src/settings.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { openStore } from '../../../src/stores/open-store.ts';
import { serveCache } from '../../support/http-cache.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { type SmallCache, smallCache } from '../../support/small-cache.ts';

const resources = new AsyncDisposableStack();
const { signal } = new AbortController();
let cache: SmallCache;

before(async () => {
  cache = await smallCache(join(await temporaryDirectory(resources), 'cache'));
});
after(() => resources.disposeAsync());

test('a closure is found by its references, each path asked for once and timed', async () => {
  await using server = await serveCache(cache.dir);
  await using store = await openStore(server.url, makeSettings());
  const told: number[] = [];
  const queries = new TimedQueries(store, { parallelism: 4, signal, onQuery: (count) => told.push(count) });
  await queries.warmUp();
  const { app, lib, base } = cache;
  const infos = await queries.queryClosure([app.info.path, base.info.path]);
  assert.deepEqual([...infos.keys()].sort(), [app, lib, base].map(({ info }) => info.path).sort());
  assert.deepEqual(told, [1, 2, 3]);
  for (const { started, ended, found } of queries.records) assert.ok(found && ended >= started);
  const narinfos = server.requests.filter((name) => name.endsWith('.narinfo'));
  assert.equal(narinfos.length, 4, 'three, and the one that warms up');
});

test('no more are under way than were asked for, and no fewer', async () => {
  let [now, most] = [0, 0];
  class CountingStore extends MemoryStore {
    override async queryPathInfo(): Promise<undefined> {
      most = Math.max(most, ++now);
      await setImmediate();
      now--;
    }
  }
  await using store = new CountingStore(DEFAULT_STORE_DIR);
  const queries = new TimedQueries(store, { parallelism: 3, signal });
  await Promise.all(Array.from({ length: 30 }, () => queries.query(randomPath())));
  assert.equal(most, 3);
  assert.equal(queries.records.filter(({ found }) => !found).length, 30);
});

test('an abort ends it while the store does not answer', async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await serveCache(cache.dir, () => {
    asked.resolve();
    return { after: new Promise(() => {}) };
  });
  await using store = await openStore(server.url, makeSettings());
  const controller = new AbortController();
  const queries = new TimedQueries(store, { parallelism: 1, signal: controller.signal });
  const ended = assert.rejects(queries.queryClosure([cache.app.info.path, cache.lib.info.path]), {
    name: 'AbortError',
  });
  await asked.promise;
  controller.abort();
  await ended;
  assert.deepEqual(queries.records, []);
});

test('a cache in a directory can list what it has; one behind HTTP cannot', async () => {
  await using local = await openStore(cache.uri, makeSettings());
  assert.deepEqual(
    await listPaths(local, signal),
    [cache.app, cache.base, cache.lib].map(({ info }) => info.path).sort(),
  );
  await using server = await serveCache(cache.dir);
  await using distant = await openStore(server.url, makeSettings());
  assert.equal(await listPaths(distant, signal), undefined);
});
