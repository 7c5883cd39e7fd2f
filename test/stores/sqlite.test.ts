import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/errors.ts';
import { loadSqlite, type SqliteOptions, whenFree } from '../../src/stores/sqlite.ts';
import { temporaryDirectory } from '../support/local-store.ts';

const open = loadSqlite();
const CREATE: SqliteOptions = { create: true, readOnly: false, fsyncMetadata: true };
const READ: SqliteOptions = { create: false, readOnly: true, fsyncMetadata: true };

async function openPair(resources: AsyncDisposableStack) {
  const file = join(await temporaryDirectory(resources), 'db.sqlite');
  const [first, second] = [0, 1].map(() =>
    resources.adopt(open(file, CREATE), (connection) => void connection.close()),
  );
  first!.exec('create table T (x integer unique)');
  return { file, first: first!, second: second! };
}

describe('a SQLite database', () => {
  test('is opened as Nix opens it', async () => {
    await using resources = new AsyncDisposableStack();
    const { first } = await openPair(resources);
    const pragma = (name: string): unknown => first.pragma(name, { simple: true });
    assert.deepEqual(
      ['journal_mode', 'synchronous', 'foreign_keys', 'wal_autocheckpoint', 'busy_timeout'].map(pragma),
      ['wal', 1, 1, 40_000, 0],
    );
  });

  test('is not flushed where fsync-metadata is off', async () => {
    await using resources = new AsyncDisposableStack();
    const file = join(await temporaryDirectory(resources), 'db.sqlite');
    const connection = resources.adopt(open(file, { ...CREATE, fsyncMetadata: false }), (each) => void each.close());
    assert.equal(connection.pragma('synchronous', { simple: true }), 0);
  });

  test('that is busy is waited for while the event loop goes on', async () => {
    await using resources = new AsyncDisposableStack();
    const { first, second } = await openPair(resources);
    first.exec('begin immediate');
    let turns = 0;
    const ticking = setInterval(() => {
      turns++;
      if (turns === 5) first.exec('commit');
    }, 1);
    resources.defer(() => clearInterval(ticking));
    assert.equal(await whenFree(() => second.transaction(() => 'done').immediate()), 'done');
    assert.ok(turns >= 5);
  });

  test('that is busy can be read', async () => {
    await using resources = new AsyncDisposableStack();
    const { first, second } = await openPair(resources);
    first.exec('begin immediate; insert into T values (1)');
    assert.deepEqual(second.prepare('select * from T').all(), []);
    first.exec('rollback');
  });

  test('that is busy is given up when the signal says so', async () => {
    await using resources = new AsyncDisposableStack();
    const { first, second } = await openPair(resources);
    first.exec('begin immediate');
    const signal = AbortSignal.timeout(20);
    await assert.rejects(
      whenFree(() => second.exec('begin immediate'), signal),
      { name: 'AbortError' },
    );
  });

  test('says what else is wrong once, as an error of the store', async () => {
    await using resources = new AsyncDisposableStack();
    const { first } = await openPair(resources);
    let tries = 0;
    const insert = (): void => {
      tries++;
      first.exec('insert into T values (1), (1)');
    };
    await assert.rejects(whenFree(insert), { code: 'ERR_STORE', message: /UNIQUE.*SQLITE_CONSTRAINT_UNIQUE/ });
    assert.equal(tries, 1);
  });

  test('that is none is told by name', async () => {
    await using resources = new AsyncDisposableStack();
    const file = join(await temporaryDirectory(resources), 'db.sqlite');
    writeFileSync(file, 'not a database'.repeat(100));
    await assert.rejects(
      whenFree(() => open(file, CREATE)),
      (error) => error instanceof StoreError && /SQLITE_NOTADB/.test(error.message),
    );
  });

  test('errors of others pass as they are', async () => {
    const error = new TypeError('a mistake');
    const fail = (): never => {
      throw error;
    };
    await assert.rejects(whenFree(fail), error);
  });

  test('opened for reading leaves nothing beside it', async () => {
    await using resources = new AsyncDisposableStack();
    const { file, first } = await openPair(resources);
    first.exec('insert into T values (1)');
    first.pragma('wal_checkpoint(truncate)');
    const dir = await temporaryDirectory(resources);
    const copy = join(dir, 'copy.sqlite');
    copyFileSync(file, copy);
    const connection = resources.adopt(open(copy, READ), (each) => void each.close());
    assert.deepEqual(connection.prepare('select x from T').pluck().all(), [1]);
    assert.deepEqual(readdirSync(dir), ['copy.sqlite']);
  });

  test('opened for reading shows what only the log of a writer has', async () => {
    await using resources = new AsyncDisposableStack();
    const { file, first } = await openPair(resources);
    first.exec('insert into T values (1)');
    assert.ok(existsSync(`${file}-wal`));
    const connection = resources.adopt(open(file, READ), (each) => void each.close());
    first.exec('insert into T values (2)');
    assert.deepEqual(connection.prepare('select x from T').pluck().all(), [1, 2]);
  });
});
