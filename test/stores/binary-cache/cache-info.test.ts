import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StoreError, TransferError } from '../../../src/errors.ts';
import { DEFAULT_STORE_DIR, parseStoreDir } from '../../../src/formats/store-path.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import { CACHE_INFO, CacheInfo } from '../../../src/stores/binary-cache/cache-info.ts';
import { openNarInfoCache } from '../../../src/stores/narinfo-disk-cache.ts';
import { makeScratch } from '../../support/scratch.ts';
import { ScriptedTransport } from '../../support/scripted-transport.ts';

const TEXT = 'StoreDir: /nix/store\nPriority: 30\n';
const INFO = { storeDir: DEFAULT_STORE_DIR, wantMassQuery: false, priority: 30 };
const WEEK = 7 * 24 * 3_600_000;

interface Setup extends AsyncDisposable {
  readonly clock: { now: number };
  /** One run: what it asks, and what comes of it. */
  run(
    transport: ScriptedTransport,
    act: (info: CacheInfo) => Promise<unknown>,
    options?: { readonly storeDir?: string; readonly settings?: Partial<Settings> },
  ): Promise<unknown>;
}

async function setUp(): Promise<Setup> {
  const resources = new AsyncDisposableStack();
  const path = join(resources.use(await makeScratch()).path, 'cache.sqlite');
  const clock = { now: 5 * WEEK };
  const now = (): number => clock.now;
  return {
    clock,
    run: async (transport, act, options = {}) => {
      const storeDir = parseStoreDir(options.storeDir ?? DEFAULT_STORE_DIR);
      const settings = makeSettings(options.settings);
      using onDisk = openNarInfoCache(path, settings, { now, onUnusable: assert.fail });
      const remembered = onDisk.of(transport.uri, storeDir);
      return await act(new CacheInfo(transport, storeDir, { settings, remembered, now }));
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

describe('what a cache says of itself', () => {
  test('is asked for once by all runs of a week', async () => {
    await using setup = await setUp();
    const transport = new ScriptedTransport({ [CACHE_INFO]: TEXT });
    const ask = (info: CacheInfo) => Promise.all([info.query(), info.query(), info.known()]);
    assert.deepEqual(await setup.run(transport, ask), [INFO, INFO, undefined]);
    setup.clock.now += WEEK - 1;
    assert.deepEqual(await setup.run(transport, ask), [INFO, INFO, INFO]);
    assert.equal(transport.requests.length, 1);
    setup.clock.now += 1;
    assert.deepEqual(await setup.run(transport, ask), [INFO, INFO, undefined]);
    assert.equal(transport.requests.length, 2);
  });

  test('is asked for by each run where nothing is to be remembered', async () => {
    await using setup = await setUp();
    const transport = new ScriptedTransport({ [CACHE_INFO]: TEXT });
    const settings = { narinfoCacheMetaTtl: 0 };
    for (let run = 0; run < 2; run++) {
      await setup.run(transport, async (info) => [await info.query(), await info.query()], { settings });
    }
    assert.equal(transport.requests.length, 2);
  });

  test('does not count for another store directory', async () => {
    await using setup = await setUp();
    const transport = new ScriptedTransport({ [CACHE_INFO]: TEXT });
    await setup.run(transport, (info) => info.query());
    for (let run = 0; run < 2; run++) {
      const asked = setup.run(transport, (info) => info.query(), { storeDir: '/my/store' });
      await assert.rejects(asked, (error) => error instanceof StoreError && error.message.includes("'/my/store'"));
    }
    assert.equal(transport.requests.length, 3);
  });

  test('is asked for by whoever wants to write, whatever is remembered', async () => {
    await using setup = await setUp();
    await setup.run(new ScriptedTransport({ [CACHE_INFO]: TEXT }), (info) => info.query());
    const emptied = new ScriptedTransport({ [CACHE_INFO]: undefined });
    assert.deepEqual(await setup.run(emptied, async (info) => [await info.query(), await info.find()]), [
      INFO,
      undefined,
    ]);
  });

  test('is not remembered where it is not there', async () => {
    await using setup = await setUp();
    const none = new ScriptedTransport({ [CACHE_INFO]: undefined });
    await assert.rejects(
      setup.run(none, (info) => info.query()),
      /is no binary cache/,
    );
    const transport = new ScriptedTransport({ [CACHE_INFO]: TEXT });
    assert.deepEqual(await setup.run(transport, (info) => info.query()), INFO);
  });

  test('is waited for by a patient one who asks while an impatient one fails', async () => {
    const transport = new ScriptedTransport();
    const info = new CacheInfo(transport, DEFAULT_STORE_DIR, { settings: makeSettings() });
    const impatient = info.query({ impatient: true });
    const patient = info.query();
    await new Promise(setImmediate);
    assert.deepEqual(
      transport.requests.map(({ options }) => options.impatient ?? false),
      [true, false],
    );
    transport.requests[0]!.fail(new TransferError('no connection', { transient: true }));
    transport.requests[1]!.answer(TEXT);
    await assert.rejects(impatient, /no connection/);
    assert.deepEqual(await patient, INFO);
  });
});
