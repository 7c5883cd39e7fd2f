import assert from 'node:assert/strict';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../src/errors.ts';
import { printHash } from '../../src/formats/hash.ts';
import type { Notice } from '../../src/pool/messages.ts';
import { type RunOptions, WorkerPool } from '../../src/pool/worker-pool.ts';
import { makeSettings } from '../../src/settings.ts';
import { run } from '../support/run.ts';

const MIB = 1024 * 1024;
const entry = new URL('../support/job-entry.ts', import.meta.url);
const openPool = (threads = 1, concurrency = 8): WorkerPool =>
  new WorkerPool({ settings: makeSettings({ workerThreads: threads }), concurrency, entry });

/** The threads in which jobs of these weights are run, all at once. */
async function threadsOf(pool: WorkerPool, weights: readonly (number | undefined)[]): Promise<number[]> {
  const jobs = weights.map((weight) => pool.run('hashPath', { realPath: 'anything' }, { weight }));
  return (await Promise.all(jobs)).map(({ narSize }) => narSize);
}

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

  test('hears all that a job tells, in order, before its reply', async () => {
    await using pool = openPool();
    const lines: string[] = [];
    const onNotice = (notice: Notice): void => void (notice.kind === 'log' && lines.push(...notice.lines));
    await pool.run('hashPath', { realPath: 'tell' }, { onNotice });
    assert.deepEqual(
      lines,
      Array.from({ length: 20 }, (_, index) => `line ${index + 1}`),
    );
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

  test('spreads jobs of unknown weight over its threads', async () => {
    await using pool = openPool(2);
    const threads = await threadsOf(pool, [undefined, undefined, undefined, undefined]);
    const [first, second] = [...new Set(threads)];
    assert.deepEqual(threads.toSorted(), [first, first, second, second].toSorted());
  });

  test('starts no second thread for jobs that are light', async () => {
    await using pool = openPool(2);
    const threads = await threadsOf(pool, [0, 1, MIB, 2 * MIB, 3 * MIB, 0]);
    assert.equal(new Set(threads).size, 1);
  });

  test('starts a second thread where the first has much to do', async () => {
    await using pool = openPool(2);
    const [first, second, third] = await threadsOf(pool, [5 * MIB, 4 * MIB, 1]);
    assert.equal(first, second);
    assert.notEqual(first, third);
  });

  const anyCores = availableParallelism() > 1 ? 1 : 0;
  const large = { weight: 256 * MIB };
  const SPARE_CORES: readonly [string, RunOptions, { threads?: number; beside?: RunOptions }, number][] = [
    ['a large job that is alone', large, {}, anyCores],
    ['a large job beside a small one', large, { beside: { weight: MIB } }, anyCores],
    ['a large job where there is one thread', large, { threads: 1 }, 0],
    ['a large job beside another, which has that core', large, { beside: large }, 0],
    ['a large job beside another thread that has much to do', large, { beside: { weight: 9 * MIB } }, 0],
    ['a job that is less than large', { weight: 256 * MIB - 1 }, {}, 0],
    ['a job of unknown weight', {}, {}, 0],
  ];
  for (const [what, options, { threads = 2, beside }, cores] of SPARE_CORES) {
    test(`${cores === anyCores ? 'lets' : 'does not let'} ${what} use two cores`, async () => {
      await using pool = new WorkerPool({ settings: makeSettings({ workerThreads: threads }), entry });
      const controller = new AbortController();
      const { signal } = controller;
      const other = beside && pool.run('hashPath', { realPath: 'hang' }, { ...beside, signal });
      const { narSize } = await pool.run('hashPath', { realPath: 'spare core' }, options);
      controller.abort();
      await other?.catch(() => {});
      assert.equal(narSize, cores);
    });
  }

  test('lets the next large job use two cores when the last is done', async () => {
    await using pool = openPool(2);
    const spareCore = async (): Promise<number> =>
      (await pool.run('hashPath', { realPath: 'spare core' }, large)).narSize;
    assert.deepEqual([await spareCore(), await spareCore()], [anyCores, anyCores]);
  });

  test('gives a thread no more jobs at once than it is told, and does them all', async () => {
    await using pool = openPool(1, 3);
    const jobs = Array.from({ length: 40 }, () => pool.run('hashPath', { realPath: 'count' }));
    const atOnce = (await Promise.all(jobs)).map(({ narSize }) => narSize);
    assert.equal(Math.max(...atOnce), 3);
  });

  test('goes on with those who wait when one of them has been cancelled meanwhile', async () => {
    await using pool = openPool(1, 1);
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = pool.run('hashPath', { realPath: 'hang' }, running);
    const second = pool.run('hashPath', { realPath: 'anything' }, waiting);
    const third = pool.run('hashPath', { realPath: 'anything' });
    const reason = new Error('enough');
    waiting.abort(reason);
    running.abort(reason);
    await assert.rejects(first, reason);
    await assert.rejects(second, reason);
    await third;
  });

  test('cancels one job and not the next, which has its number', async () => {
    await using pool = openPool(1, 1);
    const reason = new Error('enough');
    const path = { realPath: 'anything' };
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const first = pool.run('hashPath', round % 2 === 0 ? { realPath: 'hang' } : path, controller);
      const second = pool.run('hashPath', path);
      controller.abort(reason);
      const [ended] = await Promise.allSettled([first]);
      if (round % 2 === 0) assert.deepEqual(ended, { status: 'rejected', reason });
      await second;
    }
  });

  test('lets the process end when its jobs are done, though nobody disposes it', async () => {
    const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const program = `
      import { WorkerPool } from ${module('../../src/pool/worker-pool.ts')};
      import { makeSettings } from ${module('../../src/settings.ts')};
      const pool = new WorkerPool({ settings: makeSettings({ workerThreads: 2 }) });
      const realPath = ${JSON.stringify(fileURLToPath(import.meta.url))};
      const replies = await Promise.all([1, 2].map(() => pool.run('hashPath', { realPath })));
      console.log(replies.length);`;
    const { stdout, stderr, code } = await run(process.execPath, ['--input-type=module', '--eval', program]);
    assert.deepEqual([stdout, stderr, code], ['2\n', '', 0]);
  });

  test('does the next job when its threads have been given up for want of jobs', async ({ mock }) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    await using pool = openPool(1);
    for (let round = 0; round < 3; round++) {
      await pool.run('hashPath', { realPath: 'anything' });
      mock.timers.tick(60_000);
    }
  });

  test('does not cancel anything when the signal of a job aborts that has ended', async () => {
    await using pool = openPool(1, 2);
    const [early, late] = [new AbortController(), new AbortController()];
    await pool.run('hashPath', { realPath: 'anything' }, early);
    const started = Promise.withResolvers<void>();
    const options = { signal: late.signal, onProgress: () => started.resolve() };
    const next = pool.run('hashPath', { realPath: 'hang' }, options); // it has the number of the one before
    await started.promise;
    early.abort(new Error('too late'));
    await pool.run('hashPath', { realPath: 'anything' }); // what was sent before has come
    const reason = new Error('enough');
    late.abort(reason);
    await assert.rejects(next, reason);
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
