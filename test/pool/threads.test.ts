import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startThread, takeThreads } from '../../src/pool/threads.ts';
import { WorkerPool } from '../../src/pool/worker-pool.ts';
import { makeSettings } from '../../src/settings.ts';
import { run } from '../support/run.ts';

const hello = { realPath: fileURLToPath(import.meta.url) };
const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

test('a thread that was started ahead belongs to the next pool, and only to that', async () => {
  startThread();
  startThread();
  await using threads = takeThreads();
  assert.equal(threads.threads.length, 1);
  await using next = takeThreads();
  assert.equal(next.threads.length, 0);
});

test('a pool does its jobs in the thread that was started ahead', async () => {
  let threads = 0;
  const count = (): void => void threads++;
  process.on('worker', count);
  using cleanup = new DisposableStack();
  cleanup.defer(() => process.off('worker', count));
  startThread();
  await using pool = new WorkerPool({ settings: makeSettings({ workerThreads: 2 }) });
  await pool.run('hashPath', hello);
  assert.equal(threads, 1);
});

test('a thread that was started ahead is not for a pool that runs another module', async () => {
  startThread();
  await using other = takeThreads(new URL('../support/job-entry.ts', import.meta.url));
  assert.equal(other.threads.length, 0);
  await using threads = takeThreads();
  assert.equal(threads.threads.length, 1);
});

test('a thread that was started ahead and that nobody takes lets the process end', async () => {
  const program = `
    import { startThread } from ${module('../../src/pool/threads.ts')};
    startThread();
    console.log('done');`;
  const { stdout, stderr, code } = await run(process.execPath, ['--input-type=module', '--eval', program]);
  assert.deepEqual([stdout, stderr, code], ['done\n', '', 0]);
});
