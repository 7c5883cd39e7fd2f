import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type Sqlite from 'better-sqlite3';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, hashPart, parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import { createSchema, StoreDatabase } from '../../src/stores/database.ts';
import { loadSqlite } from '../../src/stores/sqlite.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { makeBuiltObject, makeObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const LEAF = makeObject('leaf', file('leaf')).info;
const USER = makeObject('user', file('user'), { references: [LEAF.path] }).info;
const BUILT: PathInfo = {
  ...(await makeBuiltObject('built', file('x'), { references: [LEAF.path], self: true })).info,
  ultimate: true,
  registrationTime: 1_234_567_890,
};
const NOW = 1_700_000_000;

async function openDatabase(
  resources: AsyncDisposableStack,
): Promise<{ database: StoreDatabase; other: Sqlite.Database }> {
  const open = loadSqlite();
  const path = join(await temporaryDirectory(resources), 'db.sqlite');
  const options = { create: true, readOnly: false, fsyncMetadata: false };
  const connection = open(path, options);
  createSchema(connection);
  const database = resources.use(new StoreDatabase(connection, DEFAULT_STORE_DIR));
  const other = resources.adopt(open(path, options), (each) => void each.close());
  return { database, other };
}

const insert = (database: StoreDatabase, ...infos: readonly PathInfo[]) =>
  database.write(() => infos.map((info) => database.insert(info, [], NOW)));

describe('the database of a local store', () => {
  test('gives back what was inserted', async () => {
    await using resources = new AsyncDisposableStack();
    const { database } = await openDatabase(resources);
    const registered = { state: 'registered' };
    assert.deepEqual(insert(database, LEAF, USER, BUILT), [registered, registered, registered]);
    const plain = { deriver: undefined, ultimate: false, registrationTime: NOW };
    for (const info of [LEAF, USER]) assert.deepEqual(database.queryPathInfo(info.path), { ...info, ...plain });
    assert.deepEqual(database.queryPathInfo(BUILT.path), { ...BUILT, contentAddress: undefined });
  });

  test('says of many paths which are valid, as of one moment', async () => {
    await using resources = new AsyncDisposableStack();
    const { database, other } = await openDatabase(resources);
    insert(database, LEAF);
    assert.deepEqual(database.filterValid([USER.path, LEAF.path, BUILT.path]), [LEAF.path]);
    assert.deepEqual(database.filterValid([]), []);
    other.exec('begin immediate'); // whoever writes holds up no reader
    assert.deepEqual(database.filterValid([LEAF.path]), [LEAF.path]);
    other.exec('rollback');
  });

  /** The columns as Nix 2.8 writes them: libstore/local-store.cc, LocalStore::addValidPath. */
  test('has rows as Nix writes them', async () => {
    await using resources = new AsyncDisposableStack();
    const { database, other } = await openDatabase(resources);
    insert(database, LEAF, BUILT);
    const hex = (info: PathInfo): string => `sha256:${Buffer.from(info.narHash.digest).toString('hex')}`;
    assert.deepEqual(other.prepare('select * from ValidPaths').all(), [
      {
        id: 1,
        path: `/nix/store/${LEAF.path}`,
        hash: hex(LEAF),
        registrationTime: NOW,
        deriver: null,
        narSize: LEAF.narSize,
        ultimate: null,
        sigs: null,
        // From `nix-store --add` of the same contents, whose narHash is the content address.
        ca: other.prepare('select ca from ValidPaths where id = 1').pluck().get(),
      },
      {
        id: 2,
        path: `/nix/store/${BUILT.path}`,
        hash: hex(BUILT),
        registrationTime: 1_234_567_890,
        deriver: `/nix/store/${BUILT.deriver}`,
        narSize: BUILT.narSize,
        ultimate: 1,
        sigs: BUILT.signatures.join(' '),
        ca: null,
      },
    ]);
    assert.match(String(other.prepare('select ca from ValidPaths').pluck().get()), /^fixed:r:sha256:[0-9a-z]{52}$/);
    assert.deepEqual(other.prepare('select referrer, reference from Refs order by 2').raw().all(), [
      [2, 1],
      [2, 2],
    ]);
  });

  test('inserts nothing of a path that is valid, or refers to one that is not', async () => {
    await using resources = new AsyncDisposableStack();
    const { database, other } = await openDatabase(resources);
    assert.deepEqual(insert(database, USER, LEAF, LEAF), [
      { state: 'incomplete', missing: LEAF.path },
      { state: 'registered' },
      { state: 'alreadyValid' },
    ]);
    assert.deepEqual(other.prepare('select count(*) from Refs').pluck().get(), 0);
  });

  test('undoes all of a transaction that throws, and forgets what it saw there', async () => {
    await using resources = new AsyncDisposableStack();
    const { database } = await openDatabase(resources);
    const failure = new Error('as asked');
    const write = (): void =>
      database.write(() => {
        database.insert(LEAF, [], NOW);
        throw failure;
      });
    assert.throws(write, failure);
    assert.equal(database.isValidPath(LEAF.path), false);
    assert.deepEqual(insert(database, USER), [{ state: 'incomplete', missing: LEAF.path }]);
  });

  test('notices that another process deleted a path whose id it knew', async () => {
    await using resources = new AsyncDisposableStack();
    const { database, other } = await openDatabase(resources);
    insert(database, LEAF);
    other.exec('delete from ValidPaths');
    assert.deepEqual(insert(database, USER), [{ state: 'incomplete', missing: LEAF.path }]);
    assert.deepEqual(insert(database, LEAF, USER), [{ state: 'registered' }, { state: 'registered' }]);
  });

  test('finds referrers, paths by hash part, and all paths', async () => {
    await using resources = new AsyncDisposableStack();
    const { database } = await openDatabase(resources);
    insert(database, LEAF, USER, BUILT);
    assert.deepEqual(database.queryReferrers(LEAF.path), [USER.path, BUILT.path].sort());
    assert.deepEqual(database.queryReferrers(BUILT.path), [BUILT.path]);
    for (const { path } of [LEAF, USER, BUILT]) assert.equal(database.queryPathFromHashPart(hashPart(path)), path);
    for (const digit of ['0', 'z']) assert.equal(database.queryPathFromHashPart(digit.repeat(32)), undefined);
    const page = database.validPathsAfter(0);
    assert.deepEqual(page, { paths: [LEAF.path, USER.path, BUILT.path], lastId: 3 });
    assert.deepEqual(database.validPathsAfter(page.lastId), { paths: [], lastId: 3 });
  });

  test('keeps the outputs of a derivation, which go with it', async () => {
    await using resources = new AsyncDisposableStack();
    const { database, other } = await openDatabase(resources);
    database.write(() => database.insert(LEAF, [{ name: 'out', path: USER.path }], NOW));
    const rows = other.prepare('select drv, id, path from DerivationOutputs').raw();
    assert.deepEqual(rows.all(), [[1, 'out', `/nix/store/${USER.path}`]]);
    other.exec('pragma foreign_keys = on; delete from ValidPaths');
    assert.deepEqual(rows.all(), []);
  });

  /** What a broken row holds, and the part of it that the message must name. */
  const BROKEN = [
    ["hash = 'sha256:xyz'", 'a hash that is none'],
    ["deriver = '/elsewhere/x.drv'", 'a deriver outside the store'],
    ["ca = 'fixed:x'", 'a content address that is none'],
  ] as const;
  for (const [change, why] of BROKEN) {
    test(`names the path whose row has ${why}`, async () => {
      await using resources = new AsyncDisposableStack();
      const { database, other } = await openDatabase(resources);
      insert(database, LEAF);
      other.exec(`update ValidPaths set ${change}`);
      assert.throws(() => database.queryPathInfo(LEAF.path), { code: 'ERR_STORE', message: new RegExp(LEAF.path) });
    });
  }

  test('registers more paths than it keeps ids of, with as many references', async () => {
    await using resources = new AsyncDisposableStack();
    const { database } = await openDatabase(resources);
    const digits = '0123456789abcdfghijklmnpqrsvwxyz';
    const path = (id: number): StorePath =>
      parseBaseName(`${[...id.toString(32).padStart(32, '0')].map((d) => digits[Number.parseInt(d, 32)]).join('')}-x`);
    const all = Array.from({ length: 70_000 }, (_, id) => ({ ...LEAF, path: path(id), contentAddress: undefined }));
    const last = { ...LEAF, path: path(80_000), contentAddress: undefined, references: all.map((each) => each.path) };
    assert.ok(insert(database, ...all, last).every(({ state }) => state === 'registered'));
    assert.equal(database.queryPathInfo(last.path)?.references.length, 70_000);
  });
});
