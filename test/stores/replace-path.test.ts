import assert from 'node:assert/strict';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { exchange } from '../../src/stores/exchange.ts';
import { loadLibc } from '../../src/stores/libc.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { replacePath } from '../../src/stores/replace-path.ts';
import type { Staging } from '../../src/stores/staging.ts';
import { emptyStore, stage } from '../support/local-store.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

const app = makeObject('app', directory({ bin: directory({ run: file('run', true) }) }));

interface Broken {
  readonly store: LocalStore;
  readonly staging: Staging;
  readonly realPath: string;
  /** Good contents. */
  readonly location: string;
}

/** A store whose one path is modified, and what it should be, staged. */
async function broken(resources: AsyncDisposableStack): Promise<Broken> {
  const { store, staging } = await emptyStore(resources);
  await add(store, app);
  const realPath = store.realPath(app.info.path);
  chmodSync(join(realPath, 'bin/run'), 0o644);
  writeFileSync(join(realPath, 'bin/run'), 'evil');
  const [staged] = stage(staging, app);
  return { store, staging, realPath, location: staged!.location };
}

function assertGood({ realPath, staging }: Broken): void {
  assert.equal(readFileSync(join(realPath, 'bin/run'), 'utf8'), 'run');
  const stats = lstatSync(realPath);
  assert.deepEqual([stats.mode & 0o7777, stats.mtimeMs], [0o555, 1000]);
  assert.deepEqual(readdirSync(staging.dir), [], 'the old contents are deleted');
}

const SAYS_NO = { unsupported: () => 'unsupported' as const, refuses: () => ({ errno: 1 }) };

describe('replacing the contents of a path', () => {
  test('puts good ones in place with the metadata they have, and deletes the old', async () => {
    await using resources = new AsyncDisposableStack();
    const all = await broken(resources);
    await all.store.replacePath(app.info.path, all.location);
    assertGood(all);
  });

  test('works in two steps where the file system cannot exchange', async () => {
    await using resources = new AsyncDisposableStack();
    const all = await broken(resources);
    const { realStoreDir } = all.store;
    const context = { libc: loadLibc(), realStoreDir, fsyncStorePaths: false, exchange: SAYS_NO.unsupported };
    await replacePath(context, all.realPath, all.location);
    assertGood(all);
  });

  test('works where nothing is there', async () => {
    await using resources = new AsyncDisposableStack();
    const all = await broken(resources);
    await removeTree(all.realPath);
    await all.store.replacePath(app.info.path, all.location);
    assertGood(all);
  });

  test('at no moment is there nothing', { skip: process.platform !== 'linux' }, async () => {
    await using resources = new AsyncDisposableStack();
    const all = await broken(resources);
    let seen = false;
    const watching: typeof exchange = (one, other) => {
      seen = existsSync(one) && existsSync(other);
      return exchange(one, other);
    };
    const { realStoreDir } = all.store;
    await replacePath(
      { libc: loadLibc(), realStoreDir, fsyncStorePaths: false, exchange: watching },
      all.realPath,
      all.location,
    );
    assert.ok(seen);
    assertGood(all);
  });

  test('leaves both where they are when the file system refuses, with a hint', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, realPath, location } = await broken(resources);
    const context = {
      libc: loadLibc(),
      realStoreDir: store.realStoreDir,
      fsyncStorePaths: false,
      exchange: SAYS_NO.refuses,
    };
    await assert.rejects(replacePath(context, realPath, location), (error: Error & { code: string; hint: string }) => {
      assert.match(error.message, /^cannot replace '.*-app': EPERM/);
      assert.match(error.hint, /owns the store/);
      return error.code === 'ERR_STORE';
    });
    assert.equal(readFileSync(join(realPath, 'bin/run'), 'utf8'), 'evil');
    assert.equal(readFileSync(join(location, 'bin/run'), 'utf8'), 'run');
  });
});

describe('the lock of a path', () => {
  test('is waited for, and given up waiting for when the signal aborts', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    const first = await store.lockPath(app.info.path);
    const second = store.lockPath(app.info.path);
    const aborted = store.lockPath(app.info.path, { signal: AbortSignal.timeout(20) });
    await assert.rejects(aborted);
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    assert.ok(!existsSync(`${store.realPath(app.info.path)}.lock`));
  });
});
