import assert from 'node:assert/strict';
import { existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pathToAdd } from '../../src/stores/add-path.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { pathOf } from '../support/gc-store.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { makeObject } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

let resources: AsyncDisposableStack;
let home: string;
let store: LocalStore;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  home = await temporaryDirectory(resources);
  store = await openTestStore(join(home, 'store'), resources);
  await store.open();
  await mkdir(join(home, 'tree/sub'), { recursive: true });
  writeFileSync(join(home, 'tree/kept'), 'kept');
  writeFileSync(join(home, 'tree/sub/left-out'), 'left out');
  symlinkSync('kept', join(home, 'tree/link'));
});
afterEach(() => resources.disposeAsync());

/** What is in the store directory, apart from what belongs to Nix. */
const entries = (): string[] => readdirSync(store.realStoreDir).filter((name) => !name.startsWith('.'));

describe('adding a path', () => {
  test('makes it valid, and leaves nothing else behind', async () => {
    const info = await store.addPath(join(home, 'tree'));
    assert.equal(await readFile(join(store.realPath(info.path), 'sub/left-out'), 'utf8'), 'left out');
    const known = await store.queryPathInfo(info.path);
    assert.deepEqual(known?.contentAddress, info.contentAddress);
    assert.equal(known?.narSize, info.narSize);
    assert.deepEqual(entries(), [info.path]);
  });

  test('leaves out what the filter does, and does not look into it', async () => {
    const seen: string[] = [];
    const filter = (path: string, kind: string): boolean => {
      seen.push(`${path.slice(home.length)} ${kind}`);
      return !path.endsWith('/sub');
    };
    const info = await store.addPath(join(home, 'tree'), { name: 'filtered', filter });
    assert.deepEqual(seen, ['/tree/kept regular', '/tree/link symlink', '/tree/sub directory']);
    const tree = directory({ kept: file('kept'), link: { type: 'symlink', target: 'kept' } });
    assert.equal(info.path, makeObject('filtered', tree).info.path);
  });

  test('writes nothing where it is valid already', async () => {
    const { path } = await store.addPath(join(home, 'tree'));
    let staged = 0;
    store.openStaging = () => {
      staged++;
      throw new Error('nothing is to be staged');
    };
    assert.equal((await store.addPath(join(home, 'tree'))).path, path);
    assert.equal(staged, 0);
  });

  test('reads what is larger than the memory for it once, twice at the same time too', async () => {
    const large = join(home, 'large');
    writeFileSync(large, Buffer.alloc(20_000_000, 'large'));
    const infos = await Promise.all([1, 2].map(() => store.addPath(large)));
    assert.deepEqual(infos[0], infos[1]);
    assert.deepEqual(infos[0], await pathToAdd(store.storeDir, large));
    assert.deepEqual(entries(), [infos[0]!.path]);
  });

  test('ends when it is told to, and leaves nothing behind', async () => {
    writeFileSync(join(home, 'tree/a-large'), Buffer.alloc(20_000_000, 'large'));
    const controller = new AbortController();
    const reason = new Error('enough');
    const filter = (path: string): boolean => {
      if (path.endsWith('/link')) controller.abort(reason); // what was large is staged by then
      return true;
    };
    const { signal } = controller;
    writeFileSync(join(home, 'tree/z-after'), Buffer.alloc(1_000_000));
    await assert.rejects(store.addPath(join(home, 'tree'), { filter, signal }), reason);
    assert.deepEqual(entries(), []);
  });

  const REJECTED = [
    ['a name that no store path has', 'tree', { name: 'a b' }, /characters other than/],
    ['text by another hash than sha256', 'tree/kept', { method: 'text', algorithm: 'md5' }, /sha256 only/],
    ['a directory by the contents of a file', 'tree', { method: 'flat' }, /no regular file/],
    ['what is not there', 'missing', {}, /cannot add .*missing/],
  ] as const;
  for (const [what, name, options, message] of REJECTED) {
    test(`refuses ${what}`, async () => {
      await assert.rejects(store.addPath(join(home, name), options), message);
      assert.deepEqual(entries(), []);
    });
  }

  test('refuses a text that refers to what is not valid', async () => {
    await assert.rejects(store.addTextToStore('text', 'refers', [pathOf('missing')]), { code: 'ERR_INVALID_PATH' });
    assert.deepEqual(entries(), []);
  });

  test('replaces what a killed process has left in its place', async () => {
    const { path } = await pathToAdd(store.storeDir, join(home, 'tree'));
    writeFileSync(store.realPath(path), 'left');
    await store.addPath(join(home, 'tree'));
    assert.ok(existsSync(join(store.realPath(path), 'kept')));
  });
});
