import assert from 'node:assert/strict';
import { closeSync, existsSync, fstatSync, openSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadLibc } from '../../src/stores/libc.ts';
import { tryLockPath } from '../../src/stores/path-locks.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { needs, run } from '../support/run.ts';
import { MEBIBYTE, noTmpfs, Tmpfs } from '../support/tmpfs.ts';

describe('a path lock', () => {
  test('is a lock file beside the path, mode 0600, gone when the lock is', async () => {
    await using resources = new AsyncDisposableStack();
    const path = join(await temporaryDirectory(resources), 'path');
    {
      using lock = tryLockPath(loadLibc(), path);
      assert.ok(lock);
      assert.equal(statSync(`${path}.lock`).mode & 0o777, 0o600);
    }
    assert.equal(existsSync(`${path}.lock`), false);
  });

  test('is held by one at a time, within a process too', async () => {
    await using resources = new AsyncDisposableStack();
    const path = join(await temporaryDirectory(resources), 'path');
    const libc = loadLibc();
    {
      using _lock = tryLockPath(libc, path);
      assert.equal(tryLockPath(libc, path), undefined);
    }
    using again = tryLockPath(libc, path);
    assert.ok(again);
  });

  test('goes as it came on a full disk', { skip: noTmpfs }, async () => {
    await using disk = Tmpfs.mount({ size: MEBIBYTE });
    disk.fill();
    const path = join(disk.path, 'path');
    const stale = openSync(`${path}.lock`, 'a');
    {
      using lock = tryLockPath(loadLibc(), path);
      assert.ok(lock);
    }
    assert.equal(existsSync(`${path}.lock`), false);
    assert.equal(fstatSync(stale).size, 1, 'whoever has it open sees that it is stale');
    closeSync(stale);
  });

  test('is the flock(2) that other programs see', needs('flock'), async () => {
    await using resources = new AsyncDisposableStack();
    const path = join(await temporaryDirectory(resources), 'path');
    using _lock = tryLockPath(loadLibc(), path);
    assert.equal((await run('flock', ['--nonblock', `${path}.lock`, 'true'])).code, 1);
  });

  test('on a file that its holder deleted meanwhile does not count', async () => {
    await using resources = new AsyncDisposableStack();
    const path = join(await temporaryDirectory(resources), 'path');
    const libc = loadLibc();
    const lock = tryLockPath(libc, path);
    const late = openSync(`${path}.lock`, 'r+'); // somebody who opened it before it was deleted
    resources.defer(() => closeSync(late));
    lock?.[Symbol.dispose]();
    assert.equal(libc.tryLock(late, 'exclusive', path), true);
    assert.equal(fstatSync(late).size, 1, 'tells that it is stale');
    using again = tryLockPath(libc, path);
    assert.ok(again, 'the stale lock stands in nobody’s way');
  });

  test('is had although a lock file was left behind with the mark of a deleted one', async () => {
    await using resources = new AsyncDisposableStack();
    const path = join(await temporaryDirectory(resources), 'path');
    await writeFile(`${path}.lock`, 'd');
    using lock = tryLockPath(loadLibc(), path);
    assert.ok(lock);
    assert.equal(statSync(`${path}.lock`).size, 0);
  });
});
