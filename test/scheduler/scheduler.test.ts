import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { mkdtempDisposable, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { UsageError } from '../../src/errors.ts';
import { hashPart, type StorePath } from '../../src/formats/store-path.ts';
import { WorkerPool } from '../../src/pool/worker-pool.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { MOST_LARGE } from '../../src/scheduler/transfer-slots.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { openCommandBuilds } from '../support/command-builds.ts';
import { type Misbehave, serveCache } from '../support/http-cache.ts';
import { makeScratch } from '../support/scratch.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const open = (root: string, substituters: readonly string[], settings: Partial<Settings> = {}): Promise<Scheduler> =>
  Scheduler.open({ store: `local?root=${root}`, substituters, settings: { workerThreads: 2, ...settings } });

interface Setting extends AsyncDisposable {
  readonly cache: SmallCache;
  readonly root: string;
  readonly url: string;
}

/** A small cache behind HTTP, and the root of a store that does not exist yet. */
async function setting(misbehave?: (cache: SmallCache) => Misbehave): Promise<Setting> {
  await using opened = new AsyncDisposableStack();
  const tmp = opened.use(await mkdtempDisposable(join(tmpdir(), 'sluice-test-')));
  const cache = await smallCache(join(tmp.path, 'cache'));
  const server = opened.use(await serveCache(cache.dir, misbehave?.(cache)));
  const resources = opened.move();
  const root = join(tmp.path, 'root');
  return { cache, root, url: server.url, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

const inStoreDir = async (root: string): Promise<string[]> =>
  (await readdir(join(root, 'nix/store'))).filter((name) => name !== '.links').sort();

/** From so many bytes on a transfer is large. */
const LARGE = 1024 * 1024;

const narinfoOf = (path: StorePath): string => `${hashPart(path)}.narinfo`;

describe('a scheduler', () => {
  test('makes a closure valid through worker threads, and tells of it', async () => {
    await using given = await setting();
    await using scheduler = await open(given.root, [given.url]);
    const registered: StorePath[] = [];
    const finished: StorePath[] = [];
    scheduler.events.on('pathsRegistered', ({ paths }) => void registered.push(...paths));
    scheduler.events.on('transferFinished', ({ path }) => void finished.push(path));
    const { base, lib, app } = given.cache;
    const [result] = await scheduler.realise([given.cache.paths[2]]);
    assert.deepEqual(result, { path: app.info.path, state: 'succeeded', how: 'substituted' });
    assert.deepEqual(
      registered,
      [base, lib, app].map(({ info }) => info.path),
      'references first',
    );
    assert.deepEqual(finished.toSorted(), registered.toSorted());
    assert.equal((await readFile(join(given.root, given.cache.paths[0]))).length, 5000);
  });

  test('has nothing to do the second time, and starts no thread', async () => {
    await using given = await setting();
    {
      await using first = await open(given.root, [given.url]);
      await first.realise([given.cache.paths[2]]);
    }
    await using second = await open(given.root, ['file:///nonexistent']);
    const [result] = await second.realise([given.cache.paths[2]]);
    assert.deepEqual(result, { path: given.cache.app.info.path, state: 'succeeded', how: 'alreadyValid' });
  });

  test('shares goals between requests that run at once', async () => {
    await using given = await setting();
    await using scheduler = await open(given.root, [given.url]);
    let started = 0;
    scheduler.events.on('transferStarted', () => void started++);
    const all = await Promise.all(given.cache.paths.map((path) => scheduler.realise([path])));
    assert.ok(all.flat().every(({ state }) => state === 'succeeded'));
    assert.equal(started, 3);
  });

  test('takes a path from the next cache where the first one is broken', async () => {
    await using broken = await setting(({ app }) => (name) => {
      return name === narinfoOf(app.info.path)
        ? { status: 500 }
        : name.startsWith('nar/')
          ? { truncate: 60 }
          : undefined;
    });
    await using given = await setting();
    await using scheduler = await open(given.root, [broken.url, given.url]);
    const failures: string[] = [];
    scheduler.events.on('substituterFailed', ({ substituter, error, next }) => {
      assert.deepEqual([substituter, next], [broken.url, given.url]);
      failures.push(error.code);
    });
    const [result] = await scheduler.realise([given.cache.paths[2]]);
    assert.equal(result?.state, 'succeeded');
    assert.deepEqual(failures.toSorted(), ['ERR_TRANSFER', 'ERR_TRANSFER', 'ERR_TRANSFER']);
  });

  test('leaves nothing of a path whose reference cannot be had', async () => {
    await using given = await setting(({ base }) => (name) => {
      return name === narinfoOf(base.info.path) ? { status: 404 } : undefined;
    });
    await using scheduler = await open(given.root, [given.url]);
    const [result] = await scheduler.realise([given.cache.paths[2]]);
    assert.equal(result?.state, 'incompleteClosure');
    await scheduler[Symbol.asyncDispose]();
    assert.deepEqual(await inStoreDir(given.root), []);
  });

  test('an aborted request stops its transfers, leaves nothing half done, and rejects with the reason', async () => {
    const controller = new AbortController();
    await using given = await setting(() => (name) => {
      if (!name.startsWith('nar/')) return undefined;
      controller.abort(new Error('stop'));
      return { after: new Promise(() => {}) };
    });
    await using scheduler = await open(given.root, [given.url]);
    await assert.rejects(scheduler.realise([given.cache.paths[2]], controller), /stop/);
    await scheduler[Symbol.asyncDispose]();
    assert.deepEqual(await inStoreDir(given.root), []);
  });

  test('can be used again after a request was aborted', async () => {
    await using given = await setting();
    await using scheduler = await open(given.root, [given.url]);
    const aborted = scheduler.realise([given.cache.paths[2]], { signal: AbortSignal.abort(new Error('stop')) });
    await assert.rejects(aborted, /stop/);
    const [result] = await scheduler.realise([given.cache.paths[2]]);
    assert.equal(result?.state, 'succeeded');
  });

  test('rejects references that form a circle, instead of waiting for ever', async () => {
    await using given = await setting();
    const { base, app } = given.cache;
    const file = join(given.cache.dir, narinfoOf(base.info.path));
    const narinfo = await readFile(file, 'utf8');
    await writeFile(file, narinfo.replace(/^References: .*$/m, `References: ${app.info.path}`));
    await using scheduler = await open(given.root, [given.url], { requireSigs: false });
    const [result] = await scheduler.realise([given.cache.paths[2]]);
    assert.ok(result?.state === 'failed');
    assert.match(result.failure.message, /references form a cycle/);
    await scheduler[Symbol.asyncDispose]();
    assert.deepEqual(await inStoreDir(given.root), []);
  });

  test('takes a derivation alone for no build: it could mean the file or its outputs', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const { drvPath, out } = await builds.add('hello', 'echo hello > $out');
    const drv = builds.full(drvPath);
    const settings = { workerThreads: 1, sandbox: 'false', buildUsersGroup: '', fsyncMetadata: false };
    const scheduler = resources.use(await Scheduler.open({ store: builds.uri, substituters: [], settings }));
    for (const alone of [drv, drvPath]) {
      await assert.rejects(scheduler.build([`${drv}^*`, alone]), (error: UsageError) => {
        return error.code === 'ERR_USAGE' && error.hint?.includes(`'${alone}^*'`) === true;
      });
    }
    const [itself] = await scheduler.build([{ kind: 'opaque', path: drvPath }]);
    const [realised] = await scheduler.realise([drv]);
    assert.deepEqual([itself?.status, realised?.state], ['alreadyValid', 'succeeded']);
    assert.equal(await scheduler.store.isValidPath(out), false, 'nothing was built so far');
    const [outputs] = await scheduler.build([`${drv}^*`]);
    assert.equal(outputs?.status, 'built');
  });

  test('sends the password of a cache from its worker threads, too, and shows it nowhere', async () => {
    const secret = `Basic ${Buffer.from('user:secret').toString('base64')}`;
    await using given = await setting(() => (_name, { headers }) => {
      return headers.authorization === secret ? undefined : { status: 401 };
    });
    const url = given.url.replace('//', '//user:secret@');
    await using scheduler = await open(given.root, [url]);
    const shown = new Set<string>();
    scheduler.events.on('transferFinished', ({ substituter }) => void shown.add(substituter));
    const [result] = await scheduler.realise([given.cache.paths[2]]);
    assert.equal(result?.state, 'succeeded');
    assert.deepEqual([...shown], [given.url]);
  });

  test('substitutes from another local store', async () => {
    await using given = await setting();
    {
      await using first = await open(given.root, [given.url]);
      await first.realise([given.cache.paths[2]]);
    }
    const copy = `${given.root}-copy`;
    await using scheduler = await open(copy, [`local?root=${given.root}`]);
    const [result] = await scheduler.realise([given.cache.paths[2]]);
    assert.equal(result?.state, 'succeeded');
    assert.deepEqual(await inStoreDir(copy), [...(await inStoreDir(given.root)), ...(await stagingOf(copy))].sort());
  });

  test('starts a thread while it is opened for an expected path that is missing, and for no other', async () => {
    await using given = await setting();
    const [, lib, app] = given.cache.paths;
    const store = `local?root=${given.root}`;
    const openFor = async (expected: readonly string[] | undefined): Promise<number> => {
      const settings = { workerThreads: 2 };
      using started = countThreads();
      await using _scheduler = await Scheduler.open({ store, substituters: [given.url], settings, expected });
      await new Promise(setImmediate); // threads are told of in the next turn
      return started.count;
    };
    assert.equal(await openFor(undefined), 0);
    assert.equal(await openFor([]), 0);
    assert.equal(await openFor([app]), 1);
    assert.equal(existsSync(join(given.root, 'nix/store')), false, 'nothing but a thread came of it');
    {
      await using scheduler = await open(given.root, [given.url]);
      await scheduler.realise([lib]);
    }
    assert.equal(await openFor([lib]), 0);
    assert.equal(await openFor([lib, app]), 1);
  });

  test('realises what was expected, and what was not, as ever', async () => {
    await using given = await setting();
    const [base, , app] = given.cache.paths;
    const settings = { workerThreads: 1 };
    const options = { store: `local?root=${given.root}`, substituters: [given.url], settings, expected: [base] };
    await using scheduler = await Scheduler.open(options);
    const results = await scheduler.realise([app, base]);
    assert.deepEqual(
      results.map(({ state }) => state),
      ['succeeded', 'succeeded'],
    );
  });

  test('does twelve large transfers at once, the largest next, while small ones go on', async ({ mock }) => {
    mock.method(WorkerPool.prototype, 'lookHowBusy', () => 0); // threads have time for more
    await using scratch = await makeScratch(48);
    const dir = join(scratch.path, 'cache');
    const objects = Array.from({ length: MOST_LARGE + 4 }, (_, index) =>
      makeObject(`large-${index}`, file('x'.repeat(LARGE + 1_000 * index))),
    );
    const small = makeObject('small', file('small'));
    {
      await using cache = await openStore(`file://${dir}?compression=none`, makeSettings());
      await add(cache, ...objects, small);
    }
    const gate = Promise.withResolvers<void>();
    await using server = await serveCache(dir, (name) => {
      const isLarge = name.startsWith('nar/') && statSync(join(dir, name)).size >= LARGE;
      return isLarge ? { after: gate.promise } : undefined;
    });
    await using scheduler = await open(join(scratch.path, 'root'), [server.url]);
    const started: number[] = [];
    let [expected, running, most] = [0, 0, 0];
    const allExpected = Promise.withResolvers<void>();
    scheduler.events.on('transferExpected', () => ++expected === objects.length && allExpected.resolve());
    scheduler.events.on('transferStarted', ({ narSize }) => {
      if (narSize < LARGE) return;
      started.push(narSize);
      most = Math.max(most, ++running);
    });
    scheduler.events.on('transferFinished', ({ narSize }) => {
      if (narSize >= LARGE) running--;
    });
    const large = scheduler.realise(objects.map(({ info }) => info.path));
    await allExpected.promise;
    const [result] = await scheduler.realise([small.info.path]);
    assert.equal(result?.state, 'succeeded');
    assert.equal(started.length, MOST_LARGE);
    gate.resolve();
    assert.ok((await large).every(({ state }) => state === 'succeeded'));
    assert.equal(most, MOST_LARGE);
    const last = started.slice(MOST_LARGE);
    assert.deepEqual(
      last,
      last.toSorted((a, b) => b - a),
    );
  });

  const refused = [
    ['a scheme that there is not', { store: 'gopher://x' }, 'ERR_USAGE'],
    ['a substituter that there is not', { store: '/tmp/x', substituters: ['gopher://x'] }, 'ERR_USAGE'],
    ['a malformed key', { store: '/tmp/x', settings: { trustedPublicKeys: ['nonsense'] } }, 'ERR_FORMAT'],
  ] as const;
  for (const [what, options, code] of refused) {
    test(`is not opened with ${what}`, async () => {
      await assert.rejects(Scheduler.open(options), { code });
    });
  }

  test('refuses what is no store path', async () => {
    await using given = await setting();
    await using scheduler = await open(given.root, []);
    await assert.rejects(scheduler.realise(['/nix/store/nonsense']), { code: 'ERR_FORMAT' });
  });
});

/** Counts the worker threads that are started until it is disposed. */
function countThreads(): Disposable & { readonly count: number } {
  let count = 0;
  const see = (): void => {
    count++;
  };
  process.on('worker', see);
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => void process.off('worker', see),
  };
}

/** The staging directory of a scheduler that is still open. */
async function stagingOf(root: string): Promise<string[]> {
  return (await inStoreDir(root)).filter((name) => name.includes('-tmp-sluice-'));
}
