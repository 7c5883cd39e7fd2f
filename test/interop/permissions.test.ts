/** Modes, owners and access control lists: as stock Nix leaves them, whoever runs, whatever the umask and the directory above. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Nix, nixMissing } from '../support/nix.ts';
import { MAIN, needs, output, type RunResult, run, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';
import { noOrdinaryUser, ORDINARY_USER } from '../support/store-process-control.ts';
import { noTmpfs } from '../support/tmpfs.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let nix: Nix;
let cache: SmallCache;
/** Something to add. */
let tree: string;
let stores = 0;

before(async () => {
  dir = resources.use(await makeScratch()).path;
  chmodSync(dir, 0o755);
  nix = await Nix.open(join(dir, 'nix'));
  cache = await smallCache(join(dir, 'cache'));
  tree = join(dir, 'tree');
  mkdirSync(join(tree, 'bin'), { recursive: true, mode: 0o777 });
  writeFileSync(join(tree, 'bin/tool'), '#!/bin/sh\n', { mode: 0o777 });
  writeFileSync(join(tree, 'writable'), 'for all', { mode: 0o666 });
  chmodSync(join(tree, 'writable'), 0o666);
});
after(() => resources.disposeAsync());

/** A directory for a store that belongs to the ordinary user. */
function ordinaryUsersStore(): string {
  const store = join(dir, `store-${stores++}`);
  mkdirSync(store);
  if (process.getuid?.() === 0) chownSync(store, ORDINARY_USER, ORDINARY_USER);
  return store;
}

/** Runs the command line as an ordinary user, with a umask. */
function asOrdinaryUser(umask: string, ...args: readonly string[]): Promise<RunResult> {
  const user = [`--reuid=${ORDINARY_USER}`, `--regid=${ORDINARY_USER}`, '--clear-groups'];
  const command = process.getuid?.() === 0 ? ['setpriv', ...user] : ['env'];
  return run('sh', ['-c', 'umask "$0"; exec "$@"', umask, ...command, process.execPath, MAIN, ...args]);
}

/** Every file of valid paths whose metadata is not what Nix gives it. */
function notCanonical(store: string, uid: number): string[] {
  const storeDir = join(store, 'nix/store');
  const names = readdirSync(storeDir, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => !name.startsWith('.links'))
    .filter((name) => {
      const stats = lstatSync(join(storeDir, name));
      const mode = stats.mode & 0o7777;
      const isRight = stats.isSymbolicLink() || mode === 0o555 || (stats.isFile() && mode === 0o444);
      return !isRight || stats.mtimeMs !== 1000 || stats.uid !== uid;
    });
}

async function problems(store: string): Promise<string[]> {
  return nixMissing ? [] : await nix.problems(store);
}

const missingAcl = needs('setfacl', 'getfacl').skip;

describe('access control lists', () => {
  test('that the store directory would hand down do not reach what is in it', { skip: missingAcl }, async (t) => {
    const store = join(dir, `store-${stores++}`);
    const storeDir = join(store, 'nix/store');
    mkdirSync(storeDir, { recursive: true });
    const acl = 'default:user:1234:rwx,default:group::---,default:other::---';
    const { code, stderr } = await run('setfacl', ['-m', acl, storeDir]);
    if (code !== 0) return t.skip(`the file system has none: ${stderr}`);
    for (const args of [
      ['realise', cache.paths[2], '--from', cache.uri, '--no-require-sigs'],
      ['add', tree],
      ['optimise'],
      ['add', tree, '--name', 'again', '--auto-optimise-store'],
    ]) {
      const result = await sluice([...args, '--store', store]);
      assert.equal(result.code, 0, result.stderr);
    }
    const paths = readdirSync(storeDir).filter((name) => name !== '.links');
    assert.equal(paths.length, 5);
    assert.deepEqual(notCanonical(store, process.getuid!()), []);
    const files = paths.map((name) => join(storeDir, name));
    assert.equal(await output('getfacl', ['--skip-base', '--absolute-names', '--physical', '-R', ...files]), '');
    assert.deepEqual(await problems(store), []);
  });
});

describe('an ordinary user', { skip: noOrdinaryUser }, () => {
  for (const umask of ['0077', '0000', '0277']) {
    test(`with umask ${umask} makes a store that others can read`, async () => {
      const store = ordinaryUsersStore();
      for (const args of [
        ['realise', cache.paths[2], '--from', cache.uri, '--no-require-sigs'],
        ['add', tree],
      ]) {
        const result = await asOrdinaryUser(umask, ...args, '--store', store);
        assert.equal(result.code, 0, result.stderr);
      }
      const uid = process.getuid?.() === 0 ? ORDINARY_USER : process.getuid!();
      assert.deepEqual(notCanonical(store, uid), []);
      for (const name of ['', 'nix', 'nix/store', 'nix/var/nix', 'nix/var/nix/db', 'nix/var/nix/gcroots/auto']) {
        assert.equal(statSync(join(store, name)).mode & 0o777, 0o755, name);
      }
      assert.equal(statSync(join(store, 'nix/var/nix/db/db.sqlite')).mode & 0o777, 0o644);
      assert.deepEqual(await problems(store), []);
    });
  }

  test('reads a store of root only where its URI says so, and is told', { skip: noTmpfs }, async () => {
    const store = join(dir, `store-${stores++}`);
    const made = await sluice(['realise', cache.paths[2], '--from', cache.uri, '--no-require-sigs', '--store', store]);
    assert.equal(made.code, 0, made.stderr);
    for (const args of [['path-info', cache.paths[2]], ['add', tree], ['gc'], ['verify']]) {
      const { code, stderr } = await asOrdinaryUser('0022', ...args, '--store', store);
      assert.equal(code, 1);
      assert.match(stderr, /^error: cannot open store 'local\?root=.*': EACCES: permission denied/m);
      const [, uri] = /^hint: to read it only, call it '(.*)'; to change it, run as the user who owns/m.exec(stderr)!;
      assert.equal(uri, `local?read-only=true&root=${store}`);
    }
    const readOnly = ['--store', `local?read-only=true&root=${store}`];
    for (const args of [
      ['path-info', '--recursive', cache.paths[2]],
      ['query', '--references', cache.paths[2]],
      ['verify'],
      ['export', '--closure', cache.paths[2]],
    ]) {
      const { code, stderr } = await asOrdinaryUser('0022', ...args, ...readOnly);
      assert.equal(code, 0, stderr);
    }
    for (const args of [['add', tree], ['gc'], ['optimise']]) {
      const { code, stderr } = await asOrdinaryUser('0022', ...args, ...readOnly);
      assert.equal(code, 1);
      assert.match(stderr, /^error: .*store 'local\?read-only=true&root=.*' is open for reading only$/m);
    }
    assert.deepEqual(await problems(store), []);
  });
});

describe('a store that root shares with build users', { skip: noTmpfs || nixMissing }, () => {
  /** Groups of every Linux, none of them that of root. */
  for (const group of ['daemon', 'users', '', 'no-such-group']) {
    test(`is what stock Nix makes of it with build-users-group '${group}'`, async () => {
      const [ours, theirs] = [join(dir, `store-${stores++}`), join(dir, `store-${stores++}`)];
      const path = '/nix/store/ssssssssssssssssssssssssssssssss-x';
      await sluice(['query', '--valid-derivers', path, '--store', ours, '--build-users-group', group]);
      await nix.output('nix-store', '--option', 'build-users-group', group, '--store', theirs, '--init');
      assert.deepEqual(metadataOf(ours), metadataOf(theirs));
    });
  }

  test('is put right where it was something else', async () => {
    const store = join(dir, `store-${stores++}`);
    const storeDir = join(store, 'nix/store');
    mkdirSync(storeDir, { recursive: true, mode: 0o755 });
    chownSync(storeDir, ORDINARY_USER, ORDINARY_USER);
    const add = ['add', tree, '--store', store, '--build-users-group', 'daemon'];
    assert.equal((await sluice(add)).code, 0);
    const { uid, gid, mode } = statSync(storeDir);
    assert.deepEqual([uid, gid, mode & 0o7777], [0, await groupId('daemon'), 0o1775]);
    assert.deepEqual(notCanonical(store, 0), []);
  });
});

async function groupId(name: string): Promise<number> {
  const [, , gid] = (await output('getent', ['group', name])).split(':');
  return Number(gid);
}

/** Owner, group and mode of every directory of a store. What Nix 2.8 makes for its user, and later versions do not, is left out. */
function metadataOf(store: string): Record<string, string> {
  const names = readdirSync(store, { recursive: true, encoding: 'utf8' }).sort();
  const directories = ['', ...names].filter((name) => lstatSync(join(store, name)).isDirectory());
  const common = directories.filter((name) => !/per-user\/|gcroots\/auto|userpool|gc-socket|log/.test(name));
  return Object.fromEntries(
    common.map((name) => {
      const { uid, gid, mode } = statSync(join(store, name));
      return [name, `${uid}:${gid} ${(mode & 0o7777).toString(8)}`];
    }),
  );
}
