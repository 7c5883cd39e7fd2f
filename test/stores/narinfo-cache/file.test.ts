import assert from 'node:assert/strict';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import type { NarInfoDatabase } from '../../../src/stores/narinfo-cache/database.ts';
import { NarInfoFile } from '../../../src/stores/narinfo-cache/file.ts';
import { makeScratch } from '../../support/scratch.ts';

const CACHE = { url: 'https://cache.example.org', storeDir: DEFAULT_STORE_DIR };
const HASH_PARTS = Array.from({ length: 200 }, (_, index) => `path-${index}`);

const fill = (database: NarInfoDatabase): void => {
  for (const hashPart of HASH_PARTS) {
    database.change({ cache: CACHE, hashPart, answer: { value: hashPart.repeat(50), since: 1 } });
  }
};
const count = (database: NarInfoDatabase): number => database.narInfos(CACHE, HASH_PARTS).size;

interface Setup extends AsyncDisposable {
  readonly path: string;
  readonly notes: string[];
  open(): NarInfoFile;
  /** Another connection, as another process has one. */
  connect(): Sqlite.Database;
}

async function setUp(name = 'made/on/demand.sqlite'): Promise<Setup> {
  const resources = new AsyncDisposableStack();
  const path = join(resources.use(await makeScratch()).path, name);
  const notes: string[] = [];
  return {
    path,
    notes,
    open: () => resources.use(new NarInfoFile(path, (message) => notes.push(message))),
    connect: () => resources.adopt(new Sqlite(path, { timeout: 0 }), (each) => void each.close()),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

describe('the file of narinfos', () => {
  test('is made with its directory by the first action, and not before', async () => {
    await using setup = await setUp();
    const file = setup.open();
    assert.equal(file.mayHaveContents, false);
    assert.equal(statSync(setup.path, { throwIfNoEntry: false }), undefined);
    assert.deepEqual(file.attempt(count), { value: 0 });
    assert.equal(file.mayHaveContents, true);
    assert.ok(statSync(setup.path).isFile());
  });

  test('keeps its contents for the next one who opens it, also while it is open', async () => {
    await using setup = await setUp();
    const first = setup.open();
    first.attempt(fill);
    const second = setup.open();
    assert.equal(second.mayHaveContents, true);
    assert.equal(second.attempt(count)?.value, HASH_PARTS.length);
    first[Symbol.dispose]();
    second[Symbol.dispose]();
    assert.equal(setup.open().attempt(count)?.value, HASH_PARTS.length);
    assert.deepEqual(setup.notes, []);
  });

  test('that another process writes to can be read, and be written later', async () => {
    await using setup = await setUp();
    const file = setup.open();
    const write = (): unknown =>
      file.attempt((database) => database.transaction(() => fill(database), { writes: true }));
    file.attempt(count);
    const other = setup.connect();
    other.exec('begin immediate');
    assert.equal(write(), undefined);
    assert.deepEqual(file.attempt(count), { value: 0 });
    assert.equal(file.isUsable, true);
    other.exec('rollback');
    assert.notEqual(write(), undefined);
    assert.equal(file.attempt(count)?.value, HASH_PARTS.length);
  });

  test('is opened later where another process has it for itself', async () => {
    await using setup = await setUp();
    const first = setup.open();
    first.attempt(count);
    first[Symbol.dispose]();
    const other = setup.connect();
    other.exec('pragma locking_mode = exclusive; begin exclusive');
    const file = setup.open();
    assert.equal(file.attempt(count), undefined);
    other.close();
    assert.deepEqual(file.attempt(count), { value: 0 });
    assert.deepEqual(setup.notes, []);
  });

  for (const [what, spoil] of [
    ['is no database', (path: string) => writeFileSync(path, 'no database at all '.repeat(1000))],
    ['is cut off', (path: string) => truncateSync(path, 5000)],
    ['lacks a table', (path: string) => withoutTable(path)],
  ] as const) {
    test(`that ${what} is made anew`, async () => {
      await using setup = await setUp();
      const file = setup.open();
      file.attempt(fill);
      file[Symbol.dispose]();
      spoil(setup.path);
      const again = setup.open();
      assert.deepEqual(again.attempt(count), { value: 0 });
      again.attempt(fill);
      assert.equal(again.attempt(count)?.value, HASH_PARTS.length);
      assert.deepEqual(setup.notes, []);
    });
  }

  test('that turns out to be broken while it is read is made anew, but only once', async () => {
    await using setup = await setUp();
    const file = setup.open();
    file.attempt(fill);
    file[Symbol.dispose]();
    const spoil = (): void => {
      const bytes = readFileSync(setup.path);
      writeFileSync(setup.path, bytes.fill(0xff, 4096)); // all pages but the first
    };
    spoil();
    const again = setup.open();
    assert.deepEqual(again.attempt(count), { value: 0 });
    const broken = Object.assign(new Error('broken again'), { code: 'SQLITE_CORRUPT' });
    const fail = (): never => {
      throw broken;
    };
    assert.equal(again.attempt(fail), undefined);
    assert.equal(again.isUsable, false);
    assert.equal(setup.notes.length, 1);
    assert.match(setup.notes[0]!, /broken again/);
  });

  test('that cannot be made is told of once, and not tried again', async () => {
    await using setup = await setUp('a file/cache.sqlite');
    writeFileSync(join(setup.path, '..'), 'not a directory');
    const file = setup.open();
    assert.equal(file.attempt(count), undefined);
    assert.equal(file.attempt(count), undefined);
    assert.equal(file.isUsable, false);
    assert.equal(file.mayHaveContents, false);
    assert.equal(setup.notes.length, 1);
    assert.ok(setup.notes[0]!.includes(`'${setup.path}' cannot be used`));
  });

  test('of a later version is left alone, and told of', async () => {
    await using setup = await setUp();
    const first = setup.open();
    first.attempt(fill);
    first[Symbol.dispose]();
    const other = setup.connect();
    other.pragma('user_version = 7');
    const file = setup.open();
    assert.equal(file.attempt(count), undefined);
    assert.equal(other.prepare('select count(*) from NarInfos').pluck().get(), HASH_PARTS.length);
    assert.equal(setup.notes.length, 1);
  });

  test('that may not grow drops what is oldest', async () => {
    await using setup = await setUp();
    const file = setup.open();
    file.attempt(fill);
    const full = Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
    const failed = file.attempt(() => {
      throw full;
    });
    assert.equal(failed, undefined);
    assert.equal(file.isUsable, true);
    assert.equal(file.attempt(count)?.value, 0);
    file.attempt(() => {
      throw full; // and nothing is left to drop
    });
    assert.equal(file.isUsable, false);
  });
});

function withoutTable(path: string): void {
  const database = new Sqlite(path);
  database.exec('drop table LastPurge');
  database.close();
}
