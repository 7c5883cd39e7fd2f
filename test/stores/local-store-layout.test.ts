import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { UsageError } from '../../src/errors.ts';
import { parseStoreReference } from '../../src/formats/store-reference.ts';
import { layoutOf, makeDirectories, refuseSymlinks } from '../../src/stores/local-store-layout.ts';
import { temporaryDirectory } from '../support/local-store.ts';

/** Nix 2.35 manual, "Local Store", "Settings": URI, printed URI, store dir, real store dir, state dir. */
const LAYOUTS = [
  ['local', 'local', '/nix/store', '/nix/store', '/nix/var/nix'],
  ['auto', 'local', '/nix/store', '/nix/store', '/nix/var/nix'],
  ['/x', 'local?root=/x', '/nix/store', '/x/nix/store', '/x/nix/var/nix'],
  ['local?root=/x', 'local?root=/x', '/nix/store', '/x/nix/store', '/x/nix/var/nix'],
  ['local://?root=/x', 'local?root=/x', '/nix/store', '/x/nix/store', '/x/nix/var/nix'],
  ['/with space', 'local?root=/with%20space', '/nix/store', '/with space/nix/store', '/with space/nix/var/nix'],
  ['local?store=/s', 'local?store=/s', '/s', '/s', '/nix/var/nix'],
  ['local?root=/x&store=/s', 'local?root=/x&store=/s', '/s', '/x/nix/store', '/x/nix/var/nix'],
  ['local?state=/t&real=/r', 'local?real=/r&state=/t', '/nix/store', '/r', '/t'],
] as const;

const REJECTED = [
  ['local?roots=/x', 'an unknown parameter'],
  ['local?root=x', 'a root that is not absolute'],
  ['local?root=/x&real=store', 'a real store directory that is not absolute'],
  ['local?state=state', 'a state directory that is not absolute'],
  ['local?read-only=maybe', 'a read-only that is neither yes nor no'],
] as const;

describe('the layout of a local store', () => {
  for (const [uri, ...wanted] of LAYOUTS) {
    test(`${uri} is in ${wanted[2]}`, () => {
      const layout = layoutOf(parseStoreReference(uri));
      assert.deepEqual([layout.uri, layout.storeDir, layout.realStoreDir, layout.stateDir], wanted);
      assert.deepEqual(layoutOf(parseStoreReference(layout.uri)), layout, 'its URI opens it again');
    });
  }

  for (const [uri, why] of REJECTED) {
    test(`rejects ${why}`, () => {
      assert.throws(() => layoutOf(parseStoreReference(uri)), UsageError);
    });
  }

  /** The same manual page, "log". */
  const LOG_DIRS = [
    ['local', {}, '/nix/var/log/nix'],
    ['local', { NIX_LOG_DIR: '/logs' }, '/logs'],
    ['/x', { NIX_LOG_DIR: '/logs' }, '/x/nix/var/log/nix'],
    ['local?log=/l', { NIX_LOG_DIR: '/logs' }, '/l'],
  ] as const;
  for (const [uri, environment, wanted] of LOG_DIRS) {
    test(`has its logs in ${wanted}, as ${uri} with ${JSON.stringify(environment)}`, () => {
      assert.equal(layoutOf(parseStoreReference(uri), environment).logDir, wanted);
    });
  }

  test('has read-only in its URI, so that it stays so', () => {
    const layout = layoutOf(parseStoreReference('local?read-only=1&root=/x'));
    assert.equal(layout.readOnly, true);
    assert.equal(layoutOf(parseStoreReference(layout.uri)).readOnly, true);
  });

  test('is made with the directories that Nix makes, again and again', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const layout = layoutOf(parseStoreReference(root));
    makeDirectories(layout);
    makeDirectories(layout);
    const state = layout.stateDir;
    assert.deepEqual(readdirSync(layout.realStoreDir), ['.links']);
    assert.deepEqual(readdirSync(state), ['db', 'gcroots', 'profiles', 'temproots']);
    assert.deepEqual(readdirSync(join(state, 'gcroots')), ['auto', 'per-user', 'profiles']);
    assert.equal(readlinkSync(join(state, 'gcroots/profiles')), join(state, 'profiles'));
  });

  test('gives gcroots no link to the profiles where gcroots is there already', async () => {
    await using resources = new AsyncDisposableStack();
    const layout = layoutOf(parseStoreReference(await temporaryDirectory(resources)));
    mkdirSync(join(layout.stateDir, 'gcroots'), { recursive: true });
    makeDirectories(layout);
    assert.equal(lstatSync(join(layout.stateDir, 'gcroots/profiles'), { throwIfNoEntry: false }), undefined);
  });

  test('is refused below a symlink, as in Nix', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    mkdirSync(join(root, 'real/store'), { recursive: true });
    symlinkSync('real', join(root, 'link'));
    refuseSymlinks(join(root, 'real/store'));
    assert.throws(() => refuseSymlinks(join(root, 'link/store')), {
      code: 'ERR_STORE',
      message: new RegExp(`symlink: '${join(root, 'link')}'`),
    });
  });
});
