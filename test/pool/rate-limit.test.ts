import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { SharedLimit } from '../../src/pool/messages.ts';
import { makeSharedLimit, RateLimit, Throttle } from '../../src/pool/rate-limit.ts';
import { WorkerPool } from '../../src/pool/worker-pool.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { serveCache } from '../support/http-cache.ts';
import { makeScratch } from '../support/scratch.ts';
import { bytes } from '../support/seeded.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const KIB = 1024;

interface SetUp {
  readonly shared: SharedLimit;
  readonly limit: RateLimit;
  /** As another thread would open it. */
  readonly other: RateLimit;
  pass(milliseconds: number): void;
}

/** A limit of 1 KiB a millisecond, long after the clock began. */
function setUp(): SetUp {
  let now = 5_000_000_000n;
  const shared = makeSharedLimit(1000)!;
  const open = (): RateLimit => new RateLimit(shared, () => now);
  const pass = (milliseconds: number): void => {
    now += BigInt(milliseconds * 1000);
  };
  return { shared, limit: open(), other: open(), pass };
}

describe('a rate limit', () => {
  test('is none where the setting is 0', () => assert.equal(makeSharedLimit(0), undefined));

  test('holds back whoever takes more than has come due', () => {
    const { limit, pass } = setUp();
    assert.equal(limit.take(100 * KIB), 0); // what may come at once
    assert.equal(limit.take(30 * KIB), 30);
    pass(30);
    assert.equal(limit.take(0), 0);
    assert.equal(limit.take(5 * KIB), 5);
  });

  test('is one for all threads', () => {
    const { limit, other, pass } = setUp();
    assert.deepEqual([limit.take(100 * KIB), other.take(10 * KIB), limit.take(10 * KIB)], [0, 10, 20]);
    pass(20);
    assert.deepEqual([other.take(1), limit.take(KIB)], [1, 2]);
  });

  test('gives nothing for time in which nobody took', () => {
    const { limit, pass } = setUp();
    limit.take(1);
    pass(60_000);
    assert.equal(limit.take(200 * KIB), 100);
  });

  test('makes up for waking late', () => {
    const { limit, pass } = setUp();
    limit.take(100 * KIB);
    for (let taken = 0; taken < 50; taken++) pass(limit.take(10 * KIB) + 2); // 2 ms late each time
    pass(-100);
    assert.equal(limit.take(0), 98);
  });

  test('loses no byte where threads take at the same time', async () => {
    const [threads, takes] = [Math.max(2, availableParallelism()), 20_000];
    const shared = makeSharedLimit(1)!;
    const source = `
      const { RateLimit } = await import(${JSON.stringify(new URL('../../src/pool/rate-limit.ts', import.meta.url).href)});
      const { workerData } = await import('node:worker_threads');
      const limit = new RateLimit(workerData, () => 0n);
      for (let taken = 0; taken < ${takes}; taken++) limit.take(1024);`;
    const run = (): Promise<void> => {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData: shared });
      return new Promise((resolve, reject) => worker.on('error', reject).on('exit', () => resolve()));
    };
    await Promise.all(Array.from({ length: threads }, run));
    assert.equal(new RateLimit(shared, () => 0n).take(0), threads * takes * 1000);
  });
});

describe('a throttle', () => {
  test('rests once for what came, and not where nothing is due', async () => {
    const { limit } = setUp();
    const throttle = new Throttle('https://x', limit, new AbortController().signal);
    throttle.took(100 * KIB);
    assert.equal(throttle.rest(), undefined);
    throttle.took(2 * KIB);
    await throttle.rest();
    assert.equal(throttle.rest(), undefined);
  });

  test('never rests without a limit', () => {
    const throttle = new Throttle('https://x', undefined, new AbortController().signal);
    throttle.took(2 ** 40);
    assert.equal(throttle.rest(), undefined);
  });

  test('ends its rest when the transfer is cancelled', async () => {
    const { limit } = setUp();
    const controller = new AbortController();
    const throttle = new Throttle('https://x', limit, controller.signal);
    throttle.took(2 ** 40);
    const rested = throttle.rest();
    const reason = new Error('enough');
    controller.abort(reason);
    await assert.rejects(async () => rested, reason);
  });
});

test('downloads of all threads together keep to setting download-speed', async () => {
  await using resources = new AsyncDisposableStack();
  const { path: dir } = resources.use(await makeScratch());
  const objects = [1, 2].map((seed) =>
    makeObject(`x${seed}`, file(Buffer.from(bytes(50 * KIB, { seed })).toString('latin1'))),
  );
  const writer = resources.use(await openStore(`file://${join(dir, 'cache')}?compression=none`, makeSettings()));
  await add(writer, ...objects);
  const server = resources.use(await serveCache(join(dir, 'cache')));
  const infos = await Promise.all(objects.map(async ({ info }) => (await writer.queryPathInfo(info.path))!));

  const pool = resources.use(new WorkerPool({ settings: makeSettings({ downloadSpeed: 200, workerThreads: 2 }) }));
  await pool.run('open', { stores: [server.url] });
  const started = performance.now();
  const replies = await Promise.all(infos.map((info) => pool.run('fetch', { from: server.url, info })));
  const took = performance.now() - started;
  assert.notEqual(replies[0]!.timings.thread, replies[1]!.timings.thread);
  // 100 KiB take 500 ms, of which 100 may come at once.
  assert.ok(took >= 380, `${took} ms`);

  const local = performance.now();
  await Promise.all(infos.map((info) => pool.run('fetch', { from: `file://${join(dir, 'cache')}`, info })));
  assert.ok(performance.now() - local < 380, 'what is on a disk is no download');
});
