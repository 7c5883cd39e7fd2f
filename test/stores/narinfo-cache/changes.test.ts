import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import { makeSettings } from '../../../src/settings.ts';
import { Changes } from '../../../src/stores/narinfo-cache/changes.ts';
import { NarInfoDatabase } from '../../../src/stores/narinfo-cache/database.ts';
import { NarInfoFile } from '../../../src/stores/narinfo-cache/file.ts';
import { makeScratch } from '../../support/scratch.ts';

const CACHE = { url: 'https://cache.example.org', storeDir: DEFAULT_STORE_DIR };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface Setup extends AsyncDisposable {
  readonly file: NarInfoFile;
  readonly changes: Changes;
  readonly clock: { now: number };
  /** A narinfo, or that there is none. */
  learn(hashPart: string, value?: string): void;
  /** Lets so many milliseconds pass. */
  pass(milliseconds: number): void;
  known(...hashParts: string[]): string;
  /** How many transactions wrote. */
  writes(): number;
  connect(): Sqlite.Database;
}

async function setUp(t: TestContext, { maxRows = 1_000_000, ttl = 0 } = {}): Promise<Setup> {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const resources = new AsyncDisposableStack();
  const path = join(resources.use(await makeScratch()).path, 'cache.sqlite');
  const file = resources.use(new NarInfoFile(path, assert.fail));
  const clock = { now: 100 * DAY };
  const settings = makeSettings({ narinfoCacheNegativeTtl: ttl, narinfoCachePositiveTtl: ttl });
  const changes = resources.use(new Changes(file, { settings, maxRows, now: () => clock.now }));
  const transaction = t.mock.method(NarInfoDatabase.prototype, 'transaction');
  return {
    file,
    changes,
    clock,
    learn: (hashPart, value) => changes.addNarInfo({ cache: CACHE, hashPart, answer: { value, since: clock.now } }),
    pass: (milliseconds) => {
      clock.now += milliseconds;
      t.mock.timers.tick(milliseconds);
    },
    known: (...hashParts) => {
      const found = file.attempt((database) => database.narInfos(CACHE, hashParts));
      return [...found!.value.keys()].sort().join(' ');
    },
    writes: () => transaction.mock.calls.filter((call) => call.arguments[1]?.writes).length,
    connect: () => resources.adopt(new Sqlite(path, { timeout: 0 }), (each) => void each.close()),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

describe('what is learned of caches', () => {
  test('is written after a tenth of a second, all at once', async (t) => {
    await using setup = await setUp(t);
    for (let index = 0; index < 400; index++) setup.learn(`h${index}`, 'text');
    setup.changes.addCacheInfo(CACHE, { value: { ...CACHE, wantMassQuery: true, priority: 1 }, since: 1 });
    setup.pass(99);
    assert.equal(setup.writes(), 0);
    setup.pass(1);
    assert.equal(setup.writes(), 1);
    assert.equal(setup.known('h0', 'h399', 'h400'), 'h0 h399');
    assert.equal(setup.file.attempt((database) => database.cacheInfo(CACHE))?.value?.value.priority, 1);
    setup.pass(10_000);
    assert.equal(setup.writes(), 1);
  });

  test('is written in bounded batches', async (t) => {
    await using setup = await setUp(t);
    for (let index = 0; index < 1200; index++) setup.learn(`h${index}`, 'text');
    setup.pass(100);
    setup.pass(1);
    setup.pass(1);
    assert.equal(setup.writes(), 3);
    assert.equal(setup.known('h0', 'h500', 'h1199').split(' ').length, 3);
  });

  test('can be told before it is written, the last word on it', async (t) => {
    await using setup = await setUp(t);
    setup.learn('h', 'text');
    setup.learn('h');
    assert.deepEqual(setup.changes.ofNarInfo(CACHE, 'h')?.answer, { value: undefined, since: setup.clock.now });
    assert.equal(setup.changes.ofNarInfo({ ...CACHE, url: 'https://other.example.org' }, 'h'), undefined);
    setup.pass(100);
    assert.equal(setup.changes.ofNarInfo(CACHE, 'h'), undefined);
    assert.equal(setup.known('h'), 'h');
  });

  test('waits while another process writes', async (t) => {
    await using setup = await setUp(t);
    setup.file.attempt(() => {});
    const other = setup.connect();
    other.exec('begin immediate');
    setup.learn('h', 'text');
    setup.pass(1000);
    assert.equal(setup.known('h'), '');
    assert.ok(setup.changes.ofNarInfo(CACHE, 'h'));
    other.exec('commit');
    setup.pass(100);
    assert.equal(setup.known('h'), 'h');
  });

  test('is written at the end', async (t) => {
    await using setup = await setUp(t);
    for (let index = 0; index < 1200; index++) setup.learn(`h${index}`, 'text');
    setup.changes[Symbol.dispose]();
    assert.equal(setup.known('h0', 'h500', 'h1199').split(' ').length, 3);
    setup.pass(1000);
    assert.equal(setup.writes(), 3);
  });

  test('is lost at the end where another process does not stop writing', async (t) => {
    await using setup = await setUp(t);
    setup.file.attempt(() => {});
    setup.connect().exec('begin immediate');
    setup.learn('h', 'text');
    setup.changes[Symbol.dispose]();
    assert.equal(setup.known('h'), '');
  });

  test('makes room for itself', async (t) => {
    await using setup = await setUp(t, { maxRows: 2 });
    for (const hashPart of ['a', 'b', 'c']) setup.learn(hashPart, 'text');
    setup.pass(100);
    assert.equal(setup.known('a', 'b', 'c'), 'b c');
  });

  test('makes old knowledge go, once a day: after an hour that there is nothing, after 30 days the rest', async (t) => {
    await using setup = await setUp(t);
    setup.learn('found', 'text');
    setup.learn('missing');
    setup.pass(100);
    setup.clock.now += 2 * HOUR;
    setup.learn('later', 'text');
    setup.pass(100);
    assert.equal(setup.known('found', 'missing', 'later'), 'found later missing'); // not yet a day
    setup.clock.now += 23 * HOUR;
    setup.learn('another', 'text');
    setup.pass(100);
    assert.equal(setup.known('found', 'missing', 'later'), 'found later');
    setup.clock.now += 29 * DAY - HOUR;
    setup.learn('another', 'text');
    setup.pass(100);
    assert.equal(setup.known('found', 'missing', 'later'), 'later');
  });

  test('makes nothing go that still counts', async (t) => {
    await using setup = await setUp(t, { ttl: (90 * DAY) / 1000 });
    setup.learn('found', 'text');
    setup.learn('missing');
    setup.pass(100);
    setup.clock.now += 80 * DAY;
    setup.learn('later');
    setup.pass(100);
    assert.equal(setup.known('found', 'missing'), 'found missing');
  });
});
