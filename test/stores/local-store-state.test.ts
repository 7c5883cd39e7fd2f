import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseStoreReference } from '../../src/formats/store-reference.ts';
import { makeSettings } from '../../src/settings.ts';
import { loadLibc } from '../../src/stores/libc.ts';
import { layoutOf } from '../../src/stores/local-store-layout.ts';
import { type LocalStoreState, openLocalStoreState } from '../../src/stores/local-store-state.ts';
import { loadSqlite } from '../../src/stores/sqlite.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { bytes } from '../support/seeded.ts';
import { noOrdinaryUser, ordinaryUsersDirectory, StoreProcess } from '../support/store-process-control.ts';

const openState = (uri: string): Promise<LocalStoreState> =>
  openLocalStoreState(layoutOf(parseStoreReference(uri)), makeSettings());

/** Name and definition of everything in a database. */
async function schemaOf(root: string): Promise<Map<string, string>> {
  await using resources = new AsyncDisposableStack();
  const options = { create: false, readOnly: true, fsyncMetadata: true };
  const connection = loadSqlite()(join(root, 'nix/var/nix/db/db.sqlite'), options);
  resources.defer(() => void connection.close());
  const rows = connection.prepare<[], [string, string | null]>('select name, sql from sqlite_master').raw().all();
  const plain = (sql: string | null): string =>
    (sql ?? '').replace(/--.*$/gm, '').replace(/\s+/g, ' ').replaceAll(' ,', ',').replaceAll('( ', '(').trim();
  return new Map(rows.map(([name, sql]) => [name, plain(sql).replaceAll(' )', ')').toLowerCase()]));
}

/** Schemas that there are or may be, and what the hint tells about them. */
const OTHER_SCHEMAS = [
  ['9', /Nix 2/],
  ['11', /later version/],
  ['', /damaged.*write '10'/],
  ['abc', /damaged/],
  ['1e1', /damaged/],
  ['10 11', /damaged/],
] as const;

/** What may have become of a database, and what is said then. */
const DAMAGED: readonly (readonly [what: string, damage: (file: string) => void, message: RegExp])[] = [
  ['is garbage', (file) => writeFileSync(file, bytes(20_000, { seed: 1 })), /'.*db\.sqlite': file is not a database/],
  ['was cut off', (file) => truncateSync(file, 8192), /'.*db\.sqlite': database disk image is malformed/],
  ['was cut off in a page', (file) => truncateSync(file, 6000), /'.*db\.sqlite': .*(malformed|not a database)/],
  ['is empty', (file) => truncateSync(file), /has a schema, but its database '.*db\.sqlite' is empty/],
  ['is gone', (file) => rmSync(file), /has a schema, but its database '.*db\.sqlite' is missing/],
  ['lacks a table', (file) => execute(file, 'drop table Refs'), /'.*db\.sqlite': no such table: Refs/],
  ['lacks a column', (file) => execute(file, 'alter table ValidPaths drop column ca'), /'.*': no such column: ca/],
];

function execute(file: string, sql: string): void {
  using opened = new DisposableStack();
  const options = { create: false, readOnly: false, fsyncMetadata: false };
  opened.adopt(loadSqlite()(file, options), (each) => void each.close()).exec(sql);
}

/** Every file below a directory, with what it holds. */
function contentsOf(dir: string): Record<string, string> {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => lstatSync(join(dir, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(dir, name), 'base64')]));
}

describe('the state of a local store', () => {
  test('is made where there is none, once', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const states = await Promise.all([openState(root), openState(root)]);
    for (const state of states) resources.use(state);
    const db = join(root, 'nix/var/nix/db');
    assert.equal(readFileSync(join(db, 'schema'), 'latin1'), '10');
    assert.deepEqual(
      readdirSync(db).filter((name) => !name.startsWith('db.sqlite')),
      ['big-lock', 'reserved', 'schema'],
    );
  });

  test('has the tables that stock Nix makes', { skip: nixMissing }, async () => {
    await using resources = new AsyncDisposableStack();
    const [ours, theirs] = [await temporaryDirectory(resources), await temporaryDirectory(resources)];
    await (await openState(ours))[Symbol.asyncDispose]();
    const nix = await Nix.open(await temporaryDirectory(resources));
    await nix.output('nix-store', '--store', theirs, '--init');
    const [mine, stock] = [await schemaOf(ours), await schemaOf(theirs)];
    // Nix 2.35 has both of these differences.
    mine.delete('SchemaMigrations');
    mine.delete('sqlite_autoindex_SchemaMigrations_1');
    stock.delete('IndexReferrer');
    stock.delete('SchemaMigrations');
    stock.delete('sqlite_autoindex_SchemaMigrations_1');
    assert.deepEqual(Object.fromEntries(mine), Object.fromEntries(stock));
  });

  test('shares the big lock as long as it is open', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const state = await openState(root);
    const libc = loadLibc();
    const file = join(root, 'nix/var/nix/db/big-lock');
    const lock = resources.use(await open(file));
    assert.equal(libc.tryLock(lock.fd, 'exclusive', file), false);
    assert.equal(libc.tryLock(lock.fd, 'shared', file), true);
    libc.unlock(lock.fd, file);
    await state[Symbol.asyncDispose]();
    assert.equal(libc.tryLock(lock.fd, 'exclusive', file), true);
  });

  test('waits for who has the big lock alone, and then looks at the schema again', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    await (await openState(root))[Symbol.asyncDispose]();
    const libc = loadLibc();
    const db = join(root, 'nix/var/nix/db');
    const lock = resources.use(await open(join(db, 'big-lock')));
    libc.tryLock(lock.fd, 'exclusive', 'big-lock');
    const opening = assert.rejects(openState(root), { code: 'ERR_STORE', message: /schema "11"/ });
    // Once it has the lock's file open it has looked at the schema for the first time.
    while (descriptorsOf(join(db, 'big-lock')) < 2) await new Promise(setImmediate);
    writeFileSync(join(db, 'schema'), '11');
    libc.unlock(lock.fd, 'big-lock');
    await opening;
  });

  for (const [schema, hint] of OTHER_SCHEMAS) {
    test(`with schema '${schema}' is refused and not touched`, async () => {
      await using resources = new AsyncDisposableStack();
      const root = await temporaryDirectory(resources);
      const db = join(root, 'nix/var/nix/db');
      mkdirSync(db, { recursive: true });
      writeFileSync(join(db, 'schema'), schema);
      await assert.rejects(openState(root), { code: 'ERR_STORE', message: /wanted "10"/, hint });
      assert.deepEqual(readdirSync(db), ['schema']);
      assert.deepEqual(readdirSync(join(root, 'nix')), ['var']);
    });
  }

  for (const [what, damage, message] of DAMAGED) {
    test(`whose database ${what} is refused and not touched`, async () => {
      await using resources = new AsyncDisposableStack();
      const root = await temporaryDirectory(resources);
      await (await openState(root))[Symbol.asyncDispose]();
      const db = join(root, 'nix/var/nix/db');
      damage(join(db, 'db.sqlite'));
      const before = contentsOf(db);
      const refused = { code: 'ERR_STORE', message, hint: /backup.*load-db/ };
      await assert.rejects(openState(root), refused);
      await assert.rejects(openState(`local?read-only=true&root=${root}`), refused);
      assert.deepEqual(contentsOf(db), before);
    });
  }

  test('with a schema that cannot be read is refused, with its name', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    mkdirSync(join(root, 'nix/var/nix/db/schema'), { recursive: true });
    await assert.rejects(openState(root), { code: 'ERR_STORE', message: /cannot read '.*db\/schema': EISDIR/ });
  });

  test('is not waited for forever where somebody has the big lock alone', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    await (await openState(root))[Symbol.asyncDispose]();
    const file = join(root, 'nix/var/nix/db/big-lock');
    const lock = resources.use(await open(file));
    loadLibc().tryLock(lock.fd, 'exclusive', file);
    const layout = layoutOf(parseStoreReference(root));
    await assert.rejects(openLocalStoreState(layout, makeSettings(), { patience: 0 }), {
      code: 'ERR_STORE',
      message: /is being upgraded by another process, which has locked '.*big-lock'/,
      hint: /lslocks/,
      transient: true,
    });
  });

  test('keeps a reserve of the size that is set', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const layout = layoutOf(parseStoreReference(root));
    const file = join(root, 'nix/var/nix/db/reserved');
    for (const gcReservedSpace of [1_000_000, 2_000_000, 500_000, 0]) {
      await (await openLocalStoreState(layout, makeSettings({ gcReservedSpace })))[Symbol.asyncDispose]();
      const stats = statSync(file, { throwIfNoEntry: false });
      assert.equal(stats?.size ?? 0, gcReservedSpace);
      if (stats !== undefined) assert.ok(stats.blocks * 512 >= gcReservedSpace, 'it takes room');
    }
  });

  test('is not made for reading only', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    await assert.rejects(openState(`local?root=${root}&read-only=true`), {
      code: 'ERR_STORE',
      message: /does not exist/,
    });
    assert.deepEqual(readdirSync(root), []);
  });

  test('is opened for reading by who may not write', { skip: noOrdinaryUser }, async () => {
    await using resources = new AsyncDisposableStack();
    const root = await ordinaryUsersDirectory(resources);
    const maker = resources.use(StoreProcess.startAsOrdinaryUser('add', root));
    const paths = await maker.answer();
    await maker.exited;
    const db = join(root, 'nix/var/nix/db');
    chmodSync(db, 0o555);
    resources.defer(() => chmodSync(db, 0o755));
    const uri = `local?read-only=true&root=${root}`;
    const reader = resources.use(StoreProcess.startAsOrdinaryUser('list', uri));
    assert.deepEqual(await reader.answer(), paths);
    assert.equal(existsSync(join(db, 'db.sqlite-shm')), false);
  });

  test('says who may open it where this user may not', { skip: noOrdinaryUser }, async () => {
    await using resources = new AsyncDisposableStack();
    const root = await ordinaryUsersDirectory(resources);
    const maker = resources.use(StoreProcess.startAsOrdinaryUser('add', root));
    await maker.answer();
    await maker.exited;
    chmodSync(join(root, 'nix/var/nix/db/big-lock'), 0o400);
    const refused = resources.use(StoreProcess.startAsOrdinaryUser('list', root));
    assert.match(String(await refused.answer()), /^ERR_STORE cannot open store 'local\?root=.*': EACCES/);
  });
});

/** How many file descriptors of this process are of `file`. */
function descriptorsOf(file: string): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return undefined; // closed meanwhile, as that of this very listing
    }
  });
  return targets.filter((target) => target === file).length;
}
