import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { DEFAULT_STORE_DIR, parseStoreDir } from '../../../src/formats/store-path.ts';
import { ForeignDatabaseError, NarInfoDatabase } from '../../../src/stores/narinfo-cache/database.ts';
import { makeScratch } from '../../support/scratch.ts';

const CACHE = { url: 'https://cache.example.org', storeDir: DEFAULT_STORE_DIR };
const OTHER = { url: 'https://cache.example.org', storeDir: parseStoreDir('/my/store') };
const ALL = { negative: Number.MAX_SAFE_INTEGER, positive: Number.MAX_SAFE_INTEGER };

interface Opened extends AsyncDisposable {
  readonly file: string;
  readonly database: NarInfoDatabase;
}

async function openDatabase(): Promise<Opened> {
  const resources = new AsyncDisposableStack();
  const file = join(resources.use(await makeScratch()).path, 'cache.sqlite');
  const database = resources.use(NarInfoDatabase.open(file));
  return { file, database, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** As many narinfos as there are letters. */
function fill(database: NarInfoDatabase, letters: string, since: (index: number) => number): void {
  for (const [index, hashPart] of [...letters].entries()) {
    database.change({ cache: CACHE, hashPart, answer: { value: `text of ${hashPart}`, since: since(index) } });
  }
}

const known = (database: NarInfoDatabase, letters: string): string =>
  [...database.narInfos(CACHE, [...letters]).keys()].sort().join('');

describe('the database of narinfos', () => {
  test('answers what was put into it, and nothing of what was not', async () => {
    await using opened = await openDatabase();
    const { database } = opened;
    database.change({ cache: CACHE, hashPart: 'a', answer: { value: 'text', since: 5 } });
    database.change({ cache: CACHE, hashPart: 'b', answer: { value: undefined, since: 6 } });
    const expected = new Map([
      ['a', { value: 'text', since: 5 }],
      ['b', { value: undefined, since: 6 }],
    ]);
    assert.deepEqual(database.narInfos(CACHE, ['a', 'b', 'c']), expected);
    assert.equal(database.narInfos(OTHER, ['a', 'b']).size, 0);
    assert.equal(database.cacheInfo(CACHE), undefined); // that there is a row for its narinfos says nothing of it
  });

  test('keeps the last word on a narinfo', async () => {
    await using opened = await openDatabase();
    const { database } = opened;
    for (const value of ['old', undefined, 'new']) {
      database.change({ cache: CACHE, hashPart: 'a', answer: { value, since: 1 } });
      assert.deepEqual(database.narInfos(CACHE, ['a']).get('a'), { value, since: 1 });
    }
    database.change({ cache: CACHE, hashPart: 'a', answer: undefined });
    assert.equal(database.narInfos(CACHE, ['a']).size, 0);
  });

  test('has what a cache says of itself by its store directory', async () => {
    await using opened = await openDatabase();
    const { database } = opened;
    const ours = { value: { storeDir: CACHE.storeDir, wantMassQuery: true, priority: 30 }, since: 1 };
    const others = { value: { storeDir: OTHER.storeDir, wantMassQuery: false, priority: undefined }, since: 2 };
    database.setCacheInfo(CACHE, { ...others, since: 0 });
    database.setCacheInfo(CACHE, ours);
    database.setCacheInfo(OTHER, others);
    assert.deepEqual(database.cacheInfo(CACHE), ours);
    assert.deepEqual(database.cacheInfo(OTHER), others);
  });

  test('deletes the oldest beyond a number, and counts one that was learned anew as new', async () => {
    await using opened = await openDatabase();
    const { database } = opened;
    fill(database, 'abcdef', () => 1);
    fill(database, 'a', () => 2);
    assert.equal(database.limit(3, 2), 2); // no more than 2 at once
    assert.equal(database.limit(3, 100), 1);
    assert.equal(known(database, 'abcdef'), 'aef');
    assert.equal(database.limit(3, 100), 0);
  });

  test('deletes what is old, step by step, and caches of which nothing is left at the end', async () => {
    await using opened = await openDatabase();
    const { database } = opened;
    fill(database, 'abcd', (index) => index);
    database.change({ cache: CACHE, hashPart: 'x', answer: { value: undefined, since: 2 } });
    database.change({ cache: CACHE, hashPart: 'y', answer: { value: undefined, since: 3 } });
    assert.equal(database.purge({ negative: 3, positive: 2 }, 2), 2);
    assert.equal(known(database, 'abcdxy'), 'bcdy'); // one missing path, one present
    assert.equal(database.purge({ negative: 3, positive: 2 }, 2), 1);
    assert.equal(known(database, 'abcdxy'), 'cdy');
    assert.equal(database.purge({ negative: 3, positive: 2 }, 2), 0);

    assert.equal(database.purge(ALL, 100), 3);
    assert.equal(database.purge(ALL, 100), 1); // the cache
    assert.equal(database.purge(ALL, 100), 0);
    fill(database, 'a', () => 1);
    assert.equal(known(database, 'a'), 'a'); // it comes back
  });

  test('of another version is left alone', async () => {
    await using opened = await openDatabase();
    const { file, database } = opened;
    database[Symbol.dispose]();
    using resources = new DisposableStack();
    const other = resources.adopt(new Sqlite(file), (each) => void each.close());
    other.pragma('user_version = 2');
    assert.throws(() => NarInfoDatabase.open(file), ForeignDatabaseError);
    assert.equal(other.pragma('user_version', { simple: true }), 2);
  });

  test('of another program is left alone', async () => {
    await using scratch = await makeScratch();
    const file = join(scratch.path, 'other.sqlite');
    using resources = new DisposableStack();
    const other = resources.adopt(new Sqlite(file), (each) => void each.close());
    other.exec('create table Theirs (id integer)');
    assert.throws(() => NarInfoDatabase.open(file), ForeignDatabaseError);
    assert.equal(other.prepare('select count(*) from Theirs').pluck().get(), 0);
  });
});
