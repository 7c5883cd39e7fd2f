import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { acquireUploadLock } from '../../src/build/upload-lock.ts';
import { makeScratch } from '../support/scratch.ts';

const { signal } = new AbortController();

describe('the lock of who copies inputs to a machine', () => {
  test('is held by one at a time', async () => {
    await using scratch = await makeScratch();
    let holders = 0;
    const order: number[] = [];
    const copy = async (number: number): Promise<void> => {
      using _lock = await acquireUploadLock(scratch.path, 'ssh-ng://m', signal);
      assert.equal(++holders, 1);
      for (let turn = 0; turn < 10; turn++) await setImmediate();
      holders--;
      order.push(number);
    };
    await Promise.all([0, 1, 2, 3].map(copy));
    assert.deepEqual(order.sort(), [0, 1, 2, 3]);
  });

  test('is another for another machine', async () => {
    await using scratch = await makeScratch();
    using _one = await acquireUploadLock(scratch.path, 'ssh-ng://one', signal);
    using _other = await acquireUploadLock(scratch.path, 'ssh-ng://other', signal);
  });

  // As build-remote of Nix 2.8 names it.
  test("is a file under Nix's name", async () => {
    await using scratch = await makeScratch();
    using _lock = await acquireUploadLock(scratch.path, 'ssh-ng://m', signal);
    assert.deepEqual(await readdir(join(scratch.path, 'current-load')), ['ssh-ng:__m.upload-lock']);
  });

  test('fits machines whose URI is longer than the name of a file may be', async () => {
    await using scratch = await makeScratch();
    const uri = `ssh-ng://m?ssh-key=/${'k'.repeat(300)}`;
    using _lock = await acquireUploadLock(scratch.path, uri, signal);
    using _other = await acquireUploadLock(scratch.path, `${uri}k`, signal);
  });

  test('is not waited for by who is not needed any more', async () => {
    await using scratch = await makeScratch();
    using _lock = await acquireUploadLock(scratch.path, 'ssh-ng://m', signal);
    const controller = new AbortController();
    const waiting = acquireUploadLock(scratch.path, 'ssh-ng://m', controller.signal);
    const reason = new Error('not needed any more');
    controller.abort(reason);
    await assert.rejects(waiting, reason);
  });

  test('cannot be had where there can be no files', async () => {
    await assert.rejects(acquireUploadLock('/dev/null', 'ssh-ng://m', signal), { code: 'ERR_STORE' });
  });
});
