import assert from 'node:assert/strict';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SluiceError } from '../../src/errors.ts';
import { printHash } from '../../src/formats/hash.ts';
import { WorkerPool } from '../../src/pool/worker-pool.ts';
import { makeSettings } from '../../src/settings.ts';

const entry = new URL('../support/job-entry.ts', import.meta.url);
const openPool = (threads = 1): WorkerPool =>
  new WorkerPool({ settings: makeSettings({ workerThreads: threads }), concurrency: 8, entry });

describe('the worker pool', () => {
  test('answers with what the job replied', async () => {
    await using pool = openPool();
    const reply = await pool.run('hashPath', { realPath: 'anything' });
    assert.deepEqual(reply.narHash, { algorithm: 'sha256', digest: new Uint8Array(32) });
  });

  test('hands on an error with its code, words and hint', async () => {
    await using pool = openPool();
    await assert.rejects(pool.run('hashPath', { realPath: 'malformed' }), (error) => {
      assert.ok(error instanceof SluiceError);
      assert.deepEqual(
        [error.name, error.code, error.message, error.hint],
        ['FormatError', 'ERR_FORMAT', 'invalid nar at byte 3: as asked', 'ask for something else'],
      );
      return true;
    });
  });

  test('calls an error of unknown kind internal', async () => {
    await using pool = openPool();
    await assert.rejects(pool.run('hashPath', { realPath: 'bug' }), { code: 'ERR_INTERNAL', name: 'TypeError' });
  });

  test('tells progress while the job runs, and cancels it when the signal aborts', async () => {
    await using pool = openPool();
    const controller = new AbortController();
    const reason = new Error('enough');
    const seen: number[] = [];
    const onProgress = ({ narBytes }: { narBytes: number }): void => {
      seen.push(narBytes);
      controller.abort(reason);
    };
    const running = pool.run('hashPath', { realPath: 'hang' }, { signal: controller.signal, onProgress });
    await assert.rejects(running, reason);
    assert.equal(seen[0], 7);
  });

  test('does not start a job whose signal has aborted', async () => {
    await using pool = openPool();
    const reason = new Error('too late');
    const signal = AbortSignal.abort(reason);
    await assert.rejects(pool.run('hashPath', { realPath: 'exit' }, { signal }), reason);
  });

  test('fails the jobs of a thread that dies, and runs the next in a new one', async () => {
    await using pool = openPool();
    const first = await pool.run('hashPath', { realPath: 'anything' });
    await assert.rejects(pool.run('hashPath', { realPath: 'exit' }), {
      code: 'ERR_INTERNAL',
      message: /worker thread ended while it ran a 'hashPath' job/,
    });
    const next = await pool.run('hashPath', { realPath: 'anything' });
    assert.notEqual(next.narSize, first.narSize, 'another thread');
  });

  test('runs as many jobs at once as it is told, in as many threads as it has', async () => {
    await using pool = openPool(2);
    const controller = new AbortController();
    let started = 0;
    const { promise: allStarted, resolve } = Promise.withResolvers<void>();
    const jobs = Array.from({ length: 8 }, () => {
      let seen = false;
      const onProgress = (): void => {
        if (!seen && ++started === 8) resolve();
        seen = true;
      };
      return pool.run('hashPath', { realPath: 'hang' }, { signal: controller.signal, onProgress });
    });
    await allStarted;
    controller.abort(new Error('all eight ran at once'));
    const ended = await Promise.allSettled(jobs);
    assert.ok(ended.every(({ status }) => status === 'rejected'));
  });

  test('finds the module of a job in workers/', async () => {
    await using tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
    await writeFile(join(tmp.path, 'hello'), 'hello\n');
    await using pool = new WorkerPool({ settings: makeSettings() });
    const { narHash, narSize } = await pool.run('hashPath', { realPath: join(tmp.path, 'hello') });
    // From `nix hash path` (Nix 2.8) of the same file, and the length of its NAR.
    assert.equal(
      printHash(narHash, 'base16'),
      'sha256:1c37d01af40be2e80691de3cc3df44377a699afbb17c68f080964b2fd071fc13',
    );
    assert.equal(narSize, 120);
  });
});
