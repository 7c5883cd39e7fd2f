import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Header } from 'tar/header';
import type { PathInfo } from '../../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import { printRegistration } from '../../../src/formats/validity-registration.ts';
import { tarPaths } from '../../../src/stores/export/tar-paths.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { dumpNar } from '../../../src/stores/nar-fs.ts';
import type { Store } from '../../../src/stores/store.ts';
import { full, makeNode } from '../../support/gc-store.ts';
import { emptyStore, temporaryDirectory } from '../../support/local-store.ts';
import { add, collect, narSource } from '../../support/store-objects.ts';
import { directory, file, type Tree } from '../../support/trees.ts';

const TREE: Tree = directory({
  '\xff': file('no UTF-8'),
  d: directory({ e: directory({}), l: { type: 'symlink', target: '../x' } }),
  [`long-${'n'.repeat(250)}`]: file('y'.repeat(513)),
  x: file('z'.repeat(512), true),
});
const objects = [
  makeNode('tree', {}, TREE),
  makeNode('plain', {}, file('hi\n')),
  makeNode('link', {}, { type: 'symlink', target: full(makeNode('tree').info.path) }),
];
const infos = objects.map(({ info }) => info);

function tarball(store: Store, of: readonly PathInfo[] = infos, registration = false): Promise<Buffer> {
  return collect((sink) => tarPaths(store, of, sink, { registration }));
}

async function filled(): Promise<MemoryStore> {
  const store = new MemoryStore(DEFAULT_STORE_DIR);
  await add(store, ...objects);
  return store;
}

describe('a tarball of store objects', () => {
  test('unpacked by tar, is what the objects are', {
    skip: existsSync('/usr/bin/tar') ? false : 'no tar',
  }, async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    writeFileSync(join(dir, 'tarball'), await tarball(await filled(), infos, true));
    const root = join(dir, 'root');
    mkdirSync(root);
    execFileSync('tar', ['-xpf', join(dir, 'tarball'), '-C', root]);
    for (const { info, nar } of objects) {
      assert.deepEqual(await collect((sink) => dumpNar(join(root, full(info.path)), sink)), nar);
    }
  });

  test('has the same bytes wherever it is made, in whatever order, however it is read', async () => {
    await using resources = new AsyncDisposableStack();
    const { store: local } = await emptyStore(resources);
    await add(local, ...objects.toReversed());
    const expected = await tarball(await filled());
    assert.deepEqual(await tarball(local, infos.toReversed()), expected);
    const byByte = new MemoryStore(DEFAULT_STORE_DIR);
    for (const { info, nar } of objects) await byByte.addToStore(info, narSource(nar, 1));
    assert.deepEqual(await tarball(byByte), expected);
  });

  test('is sorted, and says nothing of the directories above', async () => {
    const bytes = await tarball(await filled(), infos, true);
    const names: string[] = [];
    for (let at = 0; ; ) {
      const header = new Header(bytes, at);
      if (header.nullBlock) break;
      if (header.type !== 'ExtendedHeader') names.push(header.path!);
      at += 512 + Math.ceil((header.size ?? 0) / 512) * 512;
    }
    assert.equal(names.shift(), 'nix-path-registration');
    const tops = names.filter((name) => name.split('/').filter((part) => part !== '').length <= 3);
    assert.deepEqual(tops, tops.toSorted());
    assert.deepEqual(
      tops.map((name) => name.replace(/\/$/, '')),
      infos.map(({ path }) => `nix/store/${path}`).sort(),
    );
  });

  test('begins with what tells a store of them, where that is wanted', async () => {
    const store = await filled();
    const [bare, whole] = [await tarball(store), await tarball(store, infos, true)];
    const text = infos
      .toSorted((a, b) => (a.path < b.path ? -1 : 1))
      .map((info) => printRegistration(store.storeDir, info))
      .join('');
    assert.ok(whole.subarray(-bare.length).equals(bare));
    assert.equal(whole.toString('latin1', 512, 512 + text.length), text);
  });

  test('is refused where contents are not what was registered', async () => {
    const wrong = { ...infos[0]!, narHash: infos[1]!.narHash };
    await assert.rejects(tarball(await filled(), [wrong]), { code: 'ERR_HASH_MISMATCH' });
  });
});
