import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DEFAULT_STORE_DIR, parseStoreDir } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { type NarInfoCache, openNarInfoCache } from '../../src/stores/narinfo-disk-cache.ts';
import { makeScratch } from '../support/scratch.ts';

const URL = 'https://cache.example.org';
const INFO = { storeDir: DEFAULT_STORE_DIR, wantMassQuery: true, priority: 40 };

interface Setup extends AsyncDisposable {
  readonly path: string;
  readonly notes: string[];
  readonly clock: { now: number };
  /** As another run, or another process, opens it. */
  open(): NarInfoCache;
}

async function setUp(): Promise<Setup> {
  const resources = new AsyncDisposableStack();
  const path = join(resources.use(await makeScratch()).path, 'narinfo-cache-v1.sqlite');
  const notes: string[] = [];
  const clock = { now: 1_000_000 };
  const options = { now: () => clock.now, onUnusable: (message: string) => void notes.push(message) };
  return {
    path,
    notes,
    clock,
    open: () => resources.use(openNarInfoCache(path, makeSettings(), options)),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

describe('the narinfo cache on disk', () => {
  test('knows in the next run what was learned in this one, and since when', async () => {
    await using setup = await setUp();
    const first = setup.open();
    const cache = first.of(URL, DEFAULT_STORE_DIR);
    cache.rememberNarInfo('a', 'text of a');
    setup.clock.now += 500;
    cache.rememberNarInfo('b', undefined);
    cache.rememberCacheInfo(INFO);
    first[Symbol.dispose]();

    setup.clock.now += 1_000_000;
    const again = setup.open().of(URL, DEFAULT_STORE_DIR);
    assert.deepEqual(
      await Promise.all([again.narInfo('a'), again.narInfo('b'), again.narInfo('c'), again.cacheInfo()]),
      [
        { value: 'text of a', since: 1_000_000 },
        { value: undefined, since: 1_000_500 },
        undefined,
        { value: INFO, since: 1_000_500 },
      ],
    );
  });

  test('knows what was learned before it is written', async () => {
    await using setup = await setUp();
    const cache = setup.open().of(URL, DEFAULT_STORE_DIR);
    cache.rememberNarInfo('a', 'text');
    cache.rememberCacheInfo(INFO);
    assert.deepEqual(await cache.narInfo('a'), { value: 'text', since: setup.clock.now });
    assert.deepEqual((await cache.cacheInfo())?.value, INFO);
    cache.forgetNarInfo('a');
    assert.equal(await cache.narInfo('a'), undefined);
    assert.equal(existsSync(setup.path), false);
  });

  test('forgets for all runs', async () => {
    await using setup = await setUp();
    for (const act of ['rememberNarInfo', 'forgetNarInfo'] as const) {
      using each = setup.open();
      each.of(URL, DEFAULT_STORE_DIR)[act]('a', 'text');
    }
    assert.equal(await setup.open().of(URL, DEFAULT_STORE_DIR).narInfo('a'), undefined);
  });

  test('keeps caches and store directories apart', async () => {
    await using setup = await setUp();
    const all = setup.open();
    all.of(URL, DEFAULT_STORE_DIR).rememberNarInfo('a', 'text');
    all.of(URL, DEFAULT_STORE_DIR).rememberCacheInfo(INFO);
    all[Symbol.dispose]();
    const again = setup.open();
    for (const other of [again.of(`${URL}/sub`, DEFAULT_STORE_DIR), again.of(URL, parseStoreDir('/my/store'))]) {
      assert.equal(await other.narInfo('a'), undefined);
      assert.equal(await other.cacheInfo(), undefined);
    }
    assert.equal((await again.of(URL, DEFAULT_STORE_DIR).narInfo('a'))?.value, 'text');
  });

  test('is shared by those who have it open at once', async () => {
    await using setup = await setUp();
    const [one, two] = [setup.open(), setup.open()];
    one.of(URL, DEFAULT_STORE_DIR).rememberNarInfo('a', 'by one');
    two.of(URL, DEFAULT_STORE_DIR).rememberNarInfo('b', 'by two');
    one[Symbol.dispose]();
    two[Symbol.dispose]();
    const cache = setup.open().of(URL, DEFAULT_STORE_DIR);
    assert.equal((await cache.narInfo('a'))?.value, 'by one');
    assert.equal((await cache.narInfo('b'))?.value, 'by two');
  });

  test('does not remember a narinfo of unusual length, nor what it replaces', async () => {
    await using setup = await setUp();
    const first = setup.open();
    first.of(URL, DEFAULT_STORE_DIR).rememberNarInfo('a', 'short');
    first.of(URL, DEFAULT_STORE_DIR).rememberNarInfo('a', 'x'.repeat(64 * 1024 + 1));
    first[Symbol.dispose]();
    assert.equal(await setup.open().of(URL, DEFAULT_STORE_DIR).narInfo('a'), undefined);
  });

  test('that is broken knows nothing, and remembers from then on', async () => {
    await using setup = await setUp();
    writeFileSync(setup.path, 'broken'.repeat(1000));
    const first = setup.open();
    const cache = first.of(URL, DEFAULT_STORE_DIR);
    assert.equal(await cache.cacheInfo(), undefined);
    assert.equal(await cache.narInfo('a'), undefined);
    cache.rememberNarInfo('a', 'text');
    first[Symbol.dispose]();
    assert.equal((await setup.open().of(URL, DEFAULT_STORE_DIR).narInfo('a'))?.value, 'text');
    assert.deepEqual(setup.notes, []);
  });

  test('that has been disposed knows nothing and makes no file', async () => {
    await using setup = await setUp();
    const all = setup.open();
    const cache = all.of(URL, DEFAULT_STORE_DIR);
    all[Symbol.dispose]();
    all[Symbol.dispose]();
    cache.rememberNarInfo('a', 'text');
    cache.rememberCacheInfo(INFO);
    assert.equal(await cache.narInfo('a'), undefined);
    assert.equal(await cache.cacheInfo(), undefined);
    assert.equal(existsSync(setup.path), false);
  });
});
