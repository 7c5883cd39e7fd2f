/** Stores that cannot be used as they are: each is a clear error with a hint, and nothing is lost or changed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Nix, nixMissing } from '../support/nix.ts';
import { type RunResult, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { bytes } from '../support/seeded.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';
import { noTmpfs } from '../support/tmpfs.ts';

/** A small reserve, as the tests read all files of a store. */
const SMALL = ['--gc-reserved-space', '4K'] as const;

const resources = new AsyncDisposableStack();
let dir: string;
let nix: Nix;
let cache: SmallCache;
/** Something to add, and a store that holds a closure of three paths, with all its files closed. */
let file: string;
let original: string;
let count = 0;

before(async () => {
  dir = resources.use(await makeScratch(64)).path;
  nix = await Nix.open(join(dir, 'nix'));
  cache = await smallCache(join(dir, 'cache'));
  file = join(dir, 'file');
  writeFileSync(file, 'something to add');
  original = join(dir, 'original');
  const { code, stderr } = await sluice([
    'realise',
    cache.paths[2],
    '--from',
    cache.uri,
    '--store',
    original,
    ...SMALL,
  ]);
  assert.equal(code, 0, stderr);
});
after(() => resources.disposeAsync());

async function copyOfStore(): Promise<string> {
  const store = join(dir, `store-${count++}`);
  await cp(original, store, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  return store;
}

/** What every command says that asks a store's database, one after the other. */
async function allCommands(store: string): Promise<RunResult[]> {
  const results: RunResult[] = [];
  for (const args of [...reading(), ...changing()]) results.push(await sluice([...args, '--store', store, ...SMALL]));
  return results;
}

const reading = (): string[][] => [
  ['path-info', '--recursive', cache.paths[2]],
  ['query', '--referrers', cache.paths[0]],
  ['verify'],
  ['export', '--closure', cache.paths[2]],
];
const changing = (): string[][] => [
  ['add', file],
  ['gc'],
  ['optimise'],
  ['realise', cache.paths[2], '--from', cache.uri],
];

/** Every file of a store, with what it holds. */
function contentsOf(store: string): Record<string, string> {
  const names = readdirSync(store, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => lstatSync(join(store, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(store, name), 'base64')]));
}

async function assertWhole(store: string): Promise<void> {
  const { code, stdout } = await sluice(['query', '--requisites', cache.paths[2], '--store', store]);
  assert.deepEqual([code, stdout.trimEnd().split('\n')], [0, [...cache.paths]]);
  assert.deepEqual(nixMissing ? [] : await nix.problems(store), []);
}

/** Mounts a directory once more, somewhere else, for reading only. */
function mountReadOnly(directory: string, mounts: DisposableStack): string {
  const path = mounts.adopt(mkdtempSync(join(tmpdir(), 'sluice-read-only-')), rmdirSync);
  for (const args of [
    ['--bind', directory, path],
    ['-o', 'remount,bind,ro', path],
  ]) {
    assert.equal(spawnSync('mount', args).status, 0, `mount ${args.join(' ')}`);
    if (args[0] === '--bind') mounts.defer(() => void spawnSync('umount', ['--lazy', path]));
  }
  return path;
}

describe('a store', () => {
  for (const [schema, message, hint] of [
    ['11', /has schema "11", wanted "10"/, /later version of Nix/],
    ['9', /has schema "9", wanted "10"/, /open it with Nix 2 once/],
    ['\u001b[31m', /says '\\u\{1b\}\[31m', wanted "10"/, /is damaged/],
  ] as const) {
    test(`with schema ${JSON.stringify(schema)} is refused by all commands, and not touched`, async () => {
      const store = await copyOfStore();
      const schemaFile = join(store, 'nix/var/nix/db/schema');
      writeFileSync(schemaFile, schema);
      const contents = contentsOf(store);
      for (const { code, stderr } of await allCommands(store)) {
        assert.equal(code, 1);
        assert.match(stderr, message);
        assert.match(stderr, hint);
      }
      assert.deepEqual(contentsOf(store), contents);
      writeFileSync(schemaFile, '10');
      await assertWhole(store);
    });
  }

  test('whose database is damaged is refused by all commands, and whole again with a backup', async () => {
    const store = await copyOfStore();
    const [database, backup] = [join(store, 'nix/var/nix/db/db.sqlite'), join(dir, 'backup.sqlite')];
    copyFileSync(database, backup);
    writeFileSync(database, bytes(100_000, { seed: 1 }));
    const contents = contentsOf(store);
    for (const { code, stderr } of await allCommands(store)) {
      assert.equal(code, 1);
      assert.match(stderr, /^error: .*database '.*\/db\.sqlite': file is not a database/m);
      assert.match(stderr, /^hint: put a backup in its place/m);
    }
    assert.deepEqual(contentsOf(store), contents);
    copyFileSync(backup, database);
    await assertWhole(store);
  });

  test('whose database is lost is made anew of what dump-db printed, as the hint says', async () => {
    const store = await copyOfStore();
    const { stdout: dump } = await sluice(['store', 'dump-db', '--store', store]);
    const db = join(store, 'nix/var/nix/db');
    writeFileSync(join(db, 'db.sqlite'), '');
    const { stderr } = await sluice(['store', 'load-db', '--store', store], { input: dump });
    assert.match(stderr, /its database '.*' is empty\nhint: .*move the directory that holds it away/);
    renameSync(db, `${db}.away`);
    const { code } = await sluice(['store', 'load-db', '--store', store], { input: dump });
    assert.equal(code, 0);
    await assertWhole(store);
  });
});

describe('a read-only file system', { skip: noTmpfs }, () => {
  test('with a whole store on it is read where its URI says so, and nothing else is done', async () => {
    const store = await copyOfStore();
    using mounts = new DisposableStack();
    const mounted = mountReadOnly(store, mounts);
    const readOnly = `local?read-only=true&root=${mounted}`;
    for (const { code, stderr } of await allCommands(mounted)) {
      assert.equal(code, 1);
      assert.match(stderr, /cannot open store 'local\?root=.*': EROFS: read-only file system/);
      assert.ok(stderr.includes(`hint: to read it only, call it '${readOnly}'; to change it, `), stderr);
    }
    for (const args of reading()) {
      const { code, stderr } = await sluice([...args, '--store', readOnly]);
      assert.equal(code, 0, stderr);
    }
    for (const args of changing()) {
      const { code, stderr } = await sluice([...args, '--store', readOnly]);
      if (args[0] === 'realise') continue; // what is valid needs no change
      assert.equal(code, 1);
      assert.match(stderr, /is open for reading only/);
    }
    await assertWhole(store);
  });

  test('with the store directory on it, as on NixOS, lets no path come or go', async () => {
    const store = await copyOfStore();
    using mounts = new DisposableStack();
    const real = mountReadOnly(join(store, 'nix/store'), mounts);
    const uri = `local?real=${real}&root=${store}`;
    for (const args of reading()) {
      const { code, stderr } = await sluice([...args, '--store', uri]);
      assert.equal(code, 0, stderr);
    }
    for (const args of [['add', file], ['gc']]) {
      const { code, stderr } = await sluice([...args, '--store', uri]);
      assert.equal(code, 1);
      assert.match(stderr, /cannot write to store directory '.*': EROFS/);
      assert.match(stderr, /^hint: .*unshare --mount/m);
    }
    await assertWhole(store);
  });

  test('with the state on it is refused', async () => {
    const store = await copyOfStore();
    using mounts = new DisposableStack();
    const state = mountReadOnly(join(store, 'nix/var/nix'), mounts);
    const uri = `local?root=${store}&state=${state}`;
    const { code, stderr } = await sluice(['add', file, '--store', uri]);
    assert.equal(code, 1);
    assert.match(stderr, /cannot open store '.*': EROFS: read-only file system/);
    await assertWhole(store);
  });
});
