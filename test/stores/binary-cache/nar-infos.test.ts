import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TransferError } from '../../../src/errors.ts';
import { hashBytes } from '../../../src/formats/hash.ts';
import { type NarInfo, printNarInfo } from '../../../src/formats/narinfo.ts';
import { DEFAULT_STORE_DIR, makeStorePath, type StorePath } from '../../../src/formats/store-path.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import { CACHE_INFO, CacheInfo } from '../../../src/stores/binary-cache/cache-info.ts';
import { NarInfos, narInfoName } from '../../../src/stores/binary-cache/nar-infos.ts';
import { openNarInfoCache } from '../../../src/stores/narinfo-disk-cache.ts';
import { makeScratch } from '../../support/scratch.ts';
import { ScriptedTransport } from '../../support/scripted-transport.ts';

const HOUR = 3_600_000;
const [A, B, C] = ['a', 'b', 'c'].map(infoOf) as [NarInfo, NarInfo, NarInfo];
const MISSING = infoOf('missing').path;

function infoOf(name: string): NarInfo {
  const narHash = hashBytes('sha256', name);
  const path = makeStorePath(DEFAULT_STORE_DIR, 'source', narHash, name);
  return { path, narHash, narSize: 120, references: [], signatures: [], url: `nar/${name}.nar`, compression: 'none' };
}

function transportOf(...infos: readonly NarInfo[]): ScriptedTransport {
  const files = infos.map((info) => [narInfoName(info.path), printNarInfo(DEFAULT_STORE_DIR, info)] as const);
  return new ScriptedTransport({
    [CACHE_INFO]: 'StoreDir: /nix/store\n',
    [narInfoName(MISSING)]: undefined,
    ...Object.fromEntries(files),
  });
}

/** How often the cache was asked for narinfos. */
const asked = ({ names }: ScriptedTransport): number => names.filter((name) => name !== CACHE_INFO).length;

interface Setup extends AsyncDisposable {
  readonly clock: { now: number };
  /** One run, with what earlier ones have learned. */
  run<T>(transport: ScriptedTransport, act: (infos: NarInfos) => Promise<T>, settings?: Partial<Settings>): Promise<T>;
}

async function setUp(): Promise<Setup> {
  const resources = new AsyncDisposableStack();
  const path = join(resources.use(await makeScratch()).path, 'cache.sqlite');
  const clock = { now: 1000 * HOUR };
  const now = (): number => clock.now;
  return {
    clock,
    run: async (transport, act, overrides) => {
      const settings = makeSettings(overrides);
      using onDisk = openNarInfoCache(path, settings, { now, onUnusable: assert.fail });
      const memory = { settings, remembered: onDisk.of(transport.uri, DEFAULT_STORE_DIR), now };
      const cacheInfo = new CacheInfo(transport, DEFAULT_STORE_DIR, memory);
      return await act(new NarInfos(transport, DEFAULT_STORE_DIR, cacheInfo, memory));
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Without anything from earlier runs. */
function open(transport: ScriptedTransport, overrides: Partial<Settings> = {}, now = Date.now): NarInfos {
  const memory = { settings: makeSettings(overrides), now };
  return new NarInfos(transport, DEFAULT_STORE_DIR, new CacheInfo(transport, DEFAULT_STORE_DIR, memory), memory);
}

describe('what a cache knows of a path', () => {
  for (const [what, path, hours] of [
    ['that it is there, for 30 days', A.path, 30 * 24],
    ['that it is missing, for an hour', MISSING, 1],
  ] as const) {
    test(`is remembered in memory: ${what}`, async () => {
      const transport = transportOf(A);
      let now = 0;
      const infos = open(transport, {}, () => now);
      const answer = await infos.query(path);
      now = hours * HOUR - 1;
      assert.deepEqual(await infos.query(path), answer);
      assert.equal(asked(transport), 1);
      now++;
      assert.deepEqual(await infos.query(path), answer);
      assert.equal(asked(transport), 2);
    });

    test(`is remembered from run to run: ${what}`, async () => {
      await using setup = await setUp();
      const transport = transportOf(A);
      const answer = await setup.run(transport, (infos) => infos.query(path));
      setup.clock.now += hours * HOUR - 1;
      assert.deepEqual(await setup.run(transport, (infos) => infos.query(path)), answer);
      assert.equal(asked(transport), 1);
      setup.clock.now++;
      await setup.run(transport, (infos) => infos.query(path));
      assert.equal(asked(transport), 2);
    });
  }

  test('is not known from a time that is still to come', async () => {
    await using setup = await setUp();
    const transport = transportOf(A);
    await setup.run(transport, (infos) => infos.query(A.path));
    setup.clock.now--;
    await setup.run(transport, (infos) => infos.query(A.path));
    assert.equal(asked(transport), 2);
  });

  test('is asked again by a run that is to remember nothing, which the next one profits from', async () => {
    await using setup = await setUp();
    const first = transportOf();
    first.files.set(narInfoName(A.path), undefined);
    const refresh = { narinfoCacheNegativeTtl: 0, narinfoCachePositiveTtl: 0 };
    assert.equal(await setup.run(first, (infos) => infos.query(A.path)), undefined);
    const second = transportOf(A);
    assert.deepEqual((await setup.run(second, (infos) => infos.query(A.path), refresh))?.path, A.path);
    assert.deepEqual((await setup.run(second, (infos) => infos.query(A.path)))?.path, A.path);
    assert.equal(asked(second), 1);
  });

  test('is asked again where it has been missing for longer than is wanted', async () => {
    await using setup = await setUp();
    const transport = transportOf(A);
    const askAll = (infos: NarInfos): Promise<unknown> =>
      Promise.all([A.path, MISSING].map((path) => infos.query(path, { maxNegativeAge: 60 })));
    await setup.run(transport, askAll);
    setup.clock.now += 59_999;
    await setup.run(transport, askAll);
    assert.equal(asked(transport), 2);
    setup.clock.now++;
    await setup.run(transport, async (infos) => [await askAll(infos), await askAll(infos)]);
    assert.equal(asked(transport), 3);
    assert.equal(transport.names.at(-1), narInfoName(MISSING));
  });

  test('is told to have been remembered', async () => {
    await using setup = await setUp();
    const transport = transportOf(A);
    const tell = (infos: NarInfos): Promise<number> => {
      let remembered = 0;
      const options = { onRemembered: () => void remembered++ };
      return infos
        .query(A.path, options)
        .then(() => infos.query(A.path, options))
        .then(() => remembered);
    };
    assert.equal(await setup.run(transport, tell), 1);
    assert.equal(await setup.run(transport, tell), 2);
  });

  test('needs no question at all where an earlier run has asked everything', async () => {
    await using setup = await setUp();
    const transport = transportOf(A, B, C);
    const askAll = (infos: NarInfos): Promise<unknown> => Promise.all([A, B, C].map(({ path }) => infos.query(path)));
    const answers = await setup.run(transport, askAll);
    const silent = new ScriptedTransport();
    assert.deepEqual(await setup.run(silent, askAll), answers);
    assert.deepEqual(silent.requests, []);
  });

  test('is asked where what was remembered is for a path of another name, or makes no sense', async () => {
    await using setup = await setUp();
    const transport = transportOf(A);
    const renamed = `${A.path}-renamed` as StorePath;
    await setup.run(transport, (infos) => infos.query(A.path));
    await assert.rejects(
      setup.run(transport, (infos) => infos.query(renamed)),
      /is not for/,
    );
    assert.equal(asked(transport), 2);
  });

  test('is dropped from memory when others have been asked for since', async () => {
    const transport = transportOf(A, B, C);
    const infos = open(transport, { pathInfoCacheSize: 2 });
    for (const { path } of [A, B, A, C]) await infos.query(path);
    assert.equal(asked(transport), 3);
    await infos.query(A.path);
    assert.equal(asked(transport), 3);
    await infos.query(B.path);
    assert.equal(asked(transport), 4);
  });

  test('is not kept in memory where there is to be none', async () => {
    const transport = transportOf(A);
    const infos = open(transport, { pathInfoCacheSize: 0 });
    await infos.query(A.path);
    await infos.query(A.path);
    assert.equal(asked(transport), 2);
  });
});

describe('what turned out to be wrong', () => {
  test('is asked again, by later runs, too', async () => {
    await using setup = await setUp();
    const transport = transportOf(A);
    await setup.run(transport, (infos) => infos.query(A.path));
    await setup.run(transport, async (infos) => void infos.forget(A.path));
    await setup.run(transport, (infos) => infos.query(A.path));
    assert.equal(asked(transport), 2);
  });

  test('may have another answer where an earlier run had learned it, and has none when it was just learned', async () => {
    await using setup = await setUp();
    const transport = transportOf(A);
    const fresh = await setup.run(transport, async (infos) => {
      await infos.query(A.path);
      return infos.forget(A.path);
    });
    assert.equal(fresh, false);
    await setup.run(transport, (infos) => infos.query(A.path));
    const told = await setup.run(transport, async (infos) => {
      await infos.query(A.path);
      const first = infos.forget(A.path);
      await infos.query(A.path); // from the cache
      return [first, infos.forget(A.path)];
    });
    assert.deepEqual(told, [true, false]);
    assert.equal(asked(transport), 3);
  });

  test('may have another answer where it was learned long ago in a run that goes on', async () => {
    let now = 0;
    const infos = open(transportOf(A), {}, () => now);
    await infos.query(A.path);
    now = 60_000;
    assert.equal(infos.forget(A.path), true);
  });

  test('may have another answer where nobody knows any more when it was learned', async () => {
    const infos = open(transportOf(A), { pathInfoCacheSize: 0 });
    await infos.query(A.path);
    assert.equal(infos.forget(A.path), true);
  });
});

describe('a path that was written', () => {
  test('is known in this run, and asked for by the next', async () => {
    await using setup = await setUp();
    const transport = transportOf();
    transport.files.set(narInfoName(A.path), undefined);
    await setup.run(transport, async (infos) => {
      assert.equal(await infos.query(A.path), undefined);
      infos.written(A);
      assert.equal(await infos.query(A.path), A);
    });
    assert.equal(asked(transport), 1);
    assert.deepEqual((await setup.run(transportOf(A), (infos) => infos.query(A.path)))?.url, A.url);
  });
});

describe('a question about a path', () => {
  test('is one for all who ask at once, and passes on how patient they are', async () => {
    const transport = transportOf(A);
    const infos = open(transport);
    const onRetry = (): void => {};
    await Promise.all([infos.query(A.path, { onRetry }), infos.query(A.path)]);
    assert.equal(asked(transport), 1);
    const request = transport.requests.find(({ name }) => name === narInfoName(A.path));
    assert.equal(request?.options.onRetry, onRetry);
  });

  test('of a patient one does not fail with that of an impatient one', async () => {
    const transport = transportOf();
    const infos = open(transport);
    const impatient = infos.query(A.path, { impatient: true });
    const patient = infos.query(A.path);
    await new Promise(setImmediate);
    const requests = transport.requests.filter(({ name }) => name === narInfoName(A.path));
    assert.deepEqual(
      requests.map(({ options }) => options.impatient ?? false),
      [true, false],
    );
    requests[0]!.fail(new TransferError('no connection', { transient: true }));
    await assert.rejects(impatient, /no connection/);
    requests[1]!.answer(printNarInfo(DEFAULT_STORE_DIR, A));
    assert.equal((await patient)?.path, A.path);
  });

  test('that fails is remembered by nobody', async () => {
    await using setup = await setUp();
    const failing = transportOf();
    const failed = setup.run(failing, (infos) => {
      const answer = infos.query(A.path);
      setImmediate(() => failing.requests.find(({ name }) => name !== CACHE_INFO)!.fail(new Error('broken')));
      return answer;
    });
    await assert.rejects(failed, /broken/);
    assert.ok(await setup.run(transportOf(A), (infos) => infos.query(A.path)));
  });

  test('ends when the one who asks gives up while it is looked up', async () => {
    await using setup = await setUp();
    await setup.run(transportOf(A), (infos) => infos.query(A.path));
    const controller = new AbortController();
    const answer = setup.run(transportOf(A), (infos) => {
      const asking = infos.query(A.path, { signal: controller.signal });
      controller.abort(new Error('never mind'));
      return asking;
    });
    await assert.rejects(answer, /never mind/);
  });
});
