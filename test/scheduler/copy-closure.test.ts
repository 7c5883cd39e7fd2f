import assert from 'node:assert/strict';
import { mkdir, mkdtempDisposable, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { EventEmitter } from 'eventemitter3';
import { TransferError } from '../../src/errors.ts';
import { hashPart, parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import type { SchedulerEvents } from '../../src/goals/events.ts';
import { copyClosure } from '../../src/scheduler/copy-closure.ts';
import type { RealiseResult } from '../../src/scheduler/scheduler.ts';
import { makeSettings } from '../../src/settings.ts';
import { BinaryCacheStore } from '../../src/stores/binary-cache-store.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { serveFaults } from '../support/fault-server.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';
import { comparable, readNar } from '../support/store-objects.ts';

interface Copied {
  readonly results: readonly RealiseResult[];
  /** In the order in which they became valid. */
  readonly announced: readonly StorePath[];
}

async function openCache(uri: string): Promise<BinaryCacheStore> {
  const store = await openStore(uri, makeSettings());
  assert.ok(store instanceof BinaryCacheStore);
  return store;
}

async function copy(from: string, to: string, paths: readonly StorePath[], signal?: AbortSignal): Promise<Copied> {
  await using source = await openCache(from);
  await using destination = await openCache(to);
  const events = new EventEmitter<SchedulerEvents>();
  const announced: StorePath[] = [];
  events.on('pathsRegistered', ({ paths }) => void announced.push(...paths));
  const settings = makeSettings({ workerThreads: 2 });
  const results = await copyClosure({ from: source, to: destination, paths, settings, events, signal });
  return { results, announced };
}

interface Setting extends AsyncDisposable {
  readonly cache: SmallCache;
  readonly to: string;
  readonly toDir: string;
}

async function setting(): Promise<Setting> {
  const tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
  const toDir = join(tmp.path, 'to');
  return {
    cache: await smallCache(join(tmp.path, 'from')),
    to: `file://${toDir}?compression=zstd`,
    toDir,
    [Symbol.asyncDispose]: () => tmp[Symbol.asyncDispose](),
  };
}

describe('copying a closure into a binary cache', () => {
  test('copies what it refers to as well, announces references first, and loses nothing', async () => {
    await using given = await setting();
    const { base, lib, app } = given.cache;
    const { results, announced } = await copy(given.cache.uri, given.to, [app.info.path]);
    assert.deepEqual(results, [{ path: app.info.path, state: 'succeeded', how: 'substituted' }]);
    assert.deepEqual(
      announced,
      [base, lib, app].map(({ info }) => info.path),
    );
    await using copied = await openCache(given.to);
    for (const { info, nar } of [base, lib, app]) {
      assert.deepEqual(comparable(await copied.queryPathInfo(info.path)), comparable(info));
      assert.deepEqual(await readNar(copied, info.path), nar);
    }
  });

  test('copies only what is missing', async () => {
    await using given = await setting();
    const { lib, app } = given.cache;
    await copy(given.cache.uri, given.to, [lib.info.path]);
    const { announced } = await copy(given.cache.uri, given.to, [app.info.path]);
    assert.deepEqual(announced, [app.info.path]);
    const again = await copy(given.cache.uri, given.to, [app.info.path]);
    assert.deepEqual(again, {
      results: [{ path: app.info.path, state: 'succeeded', how: 'alreadyValid' }],
      announced: [],
    });
  });

  test('makes the cache that it uploads to, and tells how much went there', async () => {
    await using given = await setting();
    const { base, lib, app } = given.cache;
    await mkdir(given.toDir);
    await using server = await serveFaults(given.toDir, ({ method, attempt }) =>
      method === 'PUT' && attempt === 2 ? { kind: 'status', status: 500 } : undefined,
    );
    await using from = await openCache(given.cache.uri);
    await using to = await openCache(`${server.url}?compression=zstd&retry-delay=0`);
    const events = new EventEmitter<SchedulerEvents>();
    const finished = new Map<StorePath, SchedulerEvents['transferFinished'][0]>();
    events.on('transferFinished', (event) => void finished.set(event.path, event));
    const paths = [app.info.path];
    const results = await copyClosure({ from, to, paths, settings: makeSettings({ workerThreads: 2 }), events });
    assert.deepEqual(results, [{ path: app.info.path, state: 'succeeded', how: 'substituted' }]);
    await using copied = await openCache(`file://${given.toDir}`);
    for (const { info, nar } of [base, lib, app]) {
      assert.deepEqual(await readNar(copied, info.path), nar);
      const written = await copied.queryPathInfo(info.path);
      const { retries, uploadedBytes } = finished.get(info.path)!;
      assert.equal(retries, 1); // after the question that was the first attempt
      assert.equal(uploadedBytes, 2 * written!.fileSize!);
    }
  });

  test('fails with what the cache said that takes no uploads', async () => {
    await using given = await setting();
    await mkdir(given.toDir);
    await using server = await serveFaults(given.toDir, () => ({ kind: 'status', status: 405 }));
    await assert.rejects(
      copy(given.cache.uri, server.url, [given.cache.app.info.path]),
      (error) => error instanceof TransferError,
    );
  });

  test('goes on with the others where one upload fails and it is to keep going', async () => {
    await using given = await setting();
    const { base, lib, app } = given.cache;
    await mkdir(given.toDir);
    const refused = `${hashPart(lib.info.path)}.narinfo`;
    await using server = await serveFaults(given.toDir, ({ method, name }) =>
      method === 'PUT' && name === refused ? { kind: 'status', status: 403 } : undefined,
    );
    await using from = await openCache(given.cache.uri);
    await using to = await openCache(server.url);
    const settings = makeSettings({ keepGoing: true });
    const paths = [app.info.path, base.info.path];
    const results = await copyClosure({ from, to, paths, settings, events: new EventEmitter() });
    assert.deepEqual(
      results.map((result) => (result.state === 'failed' ? result.failure.code : result.state)),
      ['ERR_INCOMPLETE_CLOSURE', 'succeeded'],
    );
    assert.deepEqual(
      (await readdir(given.toDir)).filter((name) => name.endsWith('.narinfo')),
      [`${hashPart(base.info.path)}.narinfo`],
    );
  });

  test('fails for what the source does not have', async () => {
    await using given = await setting();
    const gone = parseBaseName(`${'0'.repeat(32)}-gone`);
    const { results } = await copy(given.cache.uri, given.to, [gone]);
    assert.ok(results[0]?.state === 'failed');
    assert.equal(results[0].failure.code, 'ERR_INVALID_PATH');
  });

  test('announces nothing whose reference cannot be copied', async () => {
    await using given = await setting();
    const { base, app } = given.cache;
    await rm(join(given.cache.dir, `${hashPart(base.info.path)}.narinfo`));
    const { results, announced } = await copy(given.cache.uri, given.to, [app.info.path]);
    assert.ok(results[0]?.state === 'failed');
    assert.equal(results[0].failure.code, 'ERR_INCOMPLETE_CLOSURE');
    assert.deepEqual(announced, []);
    const narinfos = (await readdir(given.toDir)).filter((name) => name.endsWith('.narinfo'));
    assert.deepEqual(narinfos, []);
  });

  test('stops when its signal aborts', async () => {
    await using given = await setting();
    const signal = AbortSignal.abort(new Error('stop'));
    await assert.rejects(copy(given.cache.uri, given.to, [given.cache.app.info.path], signal), /stop/);
  });

  test('gives up what is under way when its signal aborts, and tells of each transfer how it ended', async () => {
    await using given = await setting();
    await using from = await openCache(given.cache.uri);
    await using to = await openCache(given.to);
    const events = new EventEmitter<SchedulerEvents>();
    const stop = new AbortController();
    const started: StorePath[] = [];
    const ended: StorePath[] = [];
    events.on('transferStarted', ({ path }) => {
      started.push(path);
      stop.abort(new Error('stop'));
    });
    events.on('transferFinished', ({ path }) => void ended.push(path));
    events.on('transferFailed', ({ path, error }) => {
      assert.equal(error, undefined);
      if (started.includes(path)) ended.push(path);
    });
    const paths = [given.cache.app.info.path];
    const options = { from, to, paths, settings: makeSettings(), events, signal: stop.signal };
    await assert.rejects(copyClosure(options), /stop/);
    assert.ok(started.length > 0);
    assert.deepEqual(ended.sort(), started.sort());
  });
});
