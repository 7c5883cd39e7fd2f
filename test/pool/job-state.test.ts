import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { JobState } from '../../src/pool/job-state.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the state of a job', () => {
  test('adds up progress that the other end sees', () => {
    const worker = new JobState();
    const main = new JobState(worker.memory);
    worker.addDownloaded(3);
    worker.addNar(2 ** 40);
    worker.addNar(1);
    assert.deepEqual(main.progress, { downloadedBytes: 3, narBytes: 2 ** 40 + 1 });
  });

  test('tells the other end of a cancellation, before and after it listens', async () => {
    for (const early of [true, false]) {
      const worker = new JobState();
      const main = new JobState(worker.memory);
      const { promise: cancelled, resolve } = Promise.withResolvers<void>();
      if (early) main.cancel();
      worker.onCancelled(resolve);
      if (!early) main.cancel();
      await cancelled;
    }
  });

  test('a cancellation after the end has no effect', async () => {
    const worker = new JobState();
    const main = new JobState(worker.memory);
    worker.onCancelled(() => assert.fail('cancelled'));
    worker.end();
    main.cancel();
    await turn();
    await turn();
  });

  test('wakes a thread that waits for nothing else', async () => {
    const state = new JobState();
    const entry = JSON.stringify(new URL('../../src/pool/job-state.ts', import.meta.url));
    const script = `
      const { workerData, parentPort } = require('node:worker_threads');
      import(${entry}).then(({ JobState }) => {
        const keepAlive = setInterval(() => {}, 2 ** 30);
        new JobState(workerData).onCancelled(() => {
          clearInterval(keepAlive);
          parentPort.postMessage('cancelled');
        });
        parentPort.postMessage('listening');
      });`;
    await using worker = new Worker(script, { eval: true, workerData: state.memory });
    assert.deepEqual(await once(worker, 'message'), ['listening']);
    state.cancel();
    assert.deepEqual(await once(worker, 'message'), ['cancelled']);
  });
});
