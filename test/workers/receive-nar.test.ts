import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import type { NarInfo } from '../../src/formats/narinfo.ts';
import type { Reply, Request } from '../../src/pool/messages.ts';
import { type RunOptions, WorkerPool } from '../../src/pool/worker-pool.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore, openStoreOnce } from '../../src/stores/open-store.ts';
import { receiveNar } from '../../workers/receive-nar.ts';
import { type HttpCache, type Misbehaviour, serveCache } from '../support/http-cache.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { bytes } from '../support/seeded.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

/** More than is under way to the thread that hashes at once. */
const CONTENTS = Buffer.from(bytes(3_000_000, { seed: 1 }));
const OBJECT = makeObject('x', file(CONTENTS.toString('latin1')));
const SETTINGS = makeSettings({ filetransferRetryAttempts: 2, workerThreads: 2 });

interface Place {
  readonly cache: HttpCache;
  readonly request: Request<'substitute'>;
  readonly pool: WorkerPool;
  readonly nar: Buffer;
  run(options?: RunOptions): Promise<Reply<'substitute'>>;
}

/** A cache behind HTTP, and a pool that takes every NAR out of it for a large one. */
async function setUp(resources: AsyncDisposableStack, misbehave?: (nar: Buffer) => Misbehaviour): Promise<Place> {
  const dir = await temporaryDirectory(resources);
  const writer = resources.use(await openStore(`file://${dir}/cache?compression=none`, SETTINGS));
  await add(writer, OBJECT);
  const { nar, info } = OBJECT;
  const cache = resources.use(
    await serveCache(join(dir, 'cache'), (name) => (name.startsWith('nar/') ? misbehave?.(nar) : undefined)),
  );
  const source = resources.use(await openStoreOnce(cache.url, SETTINGS));
  const request = {
    from: cache.url,
    info: (await source.queryPathInfo(info.path)) as NarInfo,
    destination: join(dir, 'unpacked'),
    partial: join(dir, 'part'),
  };
  const pool = resources.use(new WorkerPool({ settings: SETTINGS, twoCoresFrom: 1 }));
  const run: Place['run'] = (options) => pool.run('substitute', request, { weight: nar.length, ...options });
  return { cache, request, pool, nar, run };
}

/** The last byte of the contents is another one. */
function spoil(nar: Buffer): Buffer {
  const spoilt = Buffer.from(nar);
  spoilt[nar.lastIndexOf(CONTENTS.subarray(-100)) + 99]! ^= 1;
  return spoilt;
}

describe('a NAR that is hashed in a thread of its own', () => {
  test('is unpacked where its hash is right', async () => {
    await using resources = new AsyncDisposableStack();
    const { run, request, nar } = await setUp(resources);
    const { downloadedBytes } = await run();
    assert.equal(downloadedBytes, nar.length);
    assert.deepEqual(await readFile(request.destination), CONTENTS);
  });

  test('is rejected where one byte of it is wrong, and nothing of it stays', async () => {
    await using resources = new AsyncDisposableStack();
    const { run, request } = await setUp(resources, (nar) => ({ body: spoil(nar) }));
    await assert.rejects(run(), { code: 'ERR_HASH_MISMATCH', message: /NAR of '\/nix\/store\/.*-x'.*wanted sha256:/ });
    assert.equal(existsSync(request.destination), false);
  });

  test('is fetched from its beginning where it went on with a part that is wrong', async () => {
    await using resources = new AsyncDisposableStack();
    const { run, request, nar } = await setUp(resources);
    writeFileSync(request.partial!, spoil(nar));
    const { downloadedBytes } = await run();
    assert.equal(downloadedBytes, nar.length);
    assert.deepEqual(await readFile(request.destination), CONTENTS);
  });

  test('goes on where its connection broke', async () => {
    await using resources = new AsyncDisposableStack();
    let broken = false;
    const { run, request } = await setUp(resources, () => {
      if (broken) return {};
      broken = true;
      return { truncate: 1_500_000 };
    });
    const { retries } = await run();
    assert.equal(retries, 1);
    assert.deepEqual(await readFile(request.destination), CONTENTS);
  });

  test('leaves its place to the next when it is cancelled', async () => {
    await using resources = new AsyncDisposableStack();
    const never = new Promise(() => {});
    let answered = false;
    const { run, request } = await setUp(resources, () => {
      if (answered) return {};
      answered = true;
      return { after: never };
    });
    const controller = new AbortController();
    const reason = new Error('enough');
    const running = run({ signal: controller.signal });
    while (!answered) await new Promise(setImmediate);
    controller.abort(reason);
    await assert.rejects(running, reason);
    assert.equal(existsSync(request.destination), false);
    await run();
    assert.deepEqual(await readFile(request.destination), CONTENTS);
  });

  test('does not keep a pool that is destroyed in the middle', async () => {
    await using resources = new AsyncDisposableStack();
    let asked = false;
    const { run, pool } = await setUp(resources, () => {
      asked = true;
      return { after: new Promise(() => {}) };
    });
    const running = run();
    running.catch(() => {});
    while (!asked) await new Promise(setImmediate);
    await pool[Symbol.asyncDispose]();
    await assert.rejects(running, { code: 'ERR_INTERNAL' });
  });
});

describe('what receives a NAR', () => {
  for (const hasSpareCore of [false, true]) {
    test(`starts ${hasSpareCore ? 'a' : 'no'} thread where ${hasSpareCore ? 'a' : 'no'} core is spare`, async () => {
      await using resources = new AsyncDisposableStack();
      const { request } = await setUp(resources);
      const started: Worker[] = [];
      const ended: Promise<unknown>[] = [];
      const onWorker = (worker: Worker): void => {
        started.push(worker);
        ended.push(once(worker, 'exit'));
      };
      process.on('worker', onWorker);
      resources.defer(() => void process.off('worker', onWorker));
      const taken: Buffer[] = [];
      await receiveNar(
        request,
        {
          settings: SETTINGS,
          signal: new AbortController().signal,
          progress: { addDownloaded: () => {}, addNar: () => {}, addUploaded: () => {} },
          tell: () => {},
          hasSpareCore,
        },
        (chunk) => void taken.push(Buffer.from(chunk)),
      );
      await Promise.all(ended);
      assert.deepEqual(Buffer.concat(taken), OBJECT.nar);
      assert.equal(started.length, hasSpareCore ? 1 : 0);
    });
  }
});
