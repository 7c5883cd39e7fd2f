import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/errors.ts';
import { type LockKind, loadLibc } from '../../src/stores/libc.ts';
import { temporaryDirectory } from '../support/local-store.ts';

/** What flock(2) says: any number of shared locks, or one exclusive. */
const PAIRS = [
  ['shared', 'shared', true],
  ['shared', 'exclusive', false],
  ['exclusive', 'shared', false],
  ['exclusive', 'exclusive', false],
] as const satisfies readonly [LockKind, LockKind, boolean][];

describe('libc', () => {
  for (const [held, wanted, granted] of PAIRS) {
    test(`${granted ? 'grants' : 'refuses'} a lock that is ${wanted} beside one that is ${held}`, async () => {
      await using resources = new AsyncDisposableStack();
      const file = join(await temporaryDirectory(resources), 'lock');
      const libc = loadLibc();
      const first = resources.use(await open(file, 'w'));
      const second = resources.use(await open(file, 'w'));
      assert.equal(libc.tryLock(first.fd, held, file), true);
      assert.equal(libc.tryLock(second.fd, wanted, file), granted);
      libc.unlock(first.fd, file);
      assert.equal(libc.tryLock(second.fd, wanted, file), true);
    });
  }

  test('lets go of a lock when the file is closed', async () => {
    await using resources = new AsyncDisposableStack();
    const file = join(await temporaryDirectory(resources), 'lock');
    const libc = loadLibc();
    const first = await open(file, 'w');
    const second = resources.use(await open(file, 'w'));
    libc.tryLock(first.fd, 'exclusive', file);
    await first.close();
    assert.equal(libc.tryLock(second.fd, 'exclusive', file), true);
  });

  test('syncs the file system of an open directory', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await temporaryDirectory(resources);
    const directory = resources.use(await open(path));
    await loadLibc().syncFileSystem(directory.fd, path);
  });

  test('says what failed on which file, and why', async () => {
    const libc = loadLibc();
    const wanted = { code: 'ERR_STORE', message: /'\/some\/file': bad file descriptor \(EBADF\)/ };
    assert.throws(() => libc.tryLock(9_999, 'shared', '/some/file'), wanted);
    await assert.rejects(libc.syncFileSystem(9_999, '/some/file'), StoreError);
  });
});
