import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProgressMemory } from '../../src/pool/progress-memory.ts';

/** Both ends of memory for three jobs; the thread's end has got its memory by a message. */
function setUp(): { main: ProgressMemory; worker: ProgressMemory } {
  const main = new ProgressMemory(3);
  return { main, worker: new ProgressMemory(main.memory) };
}

describe('progress memory', () => {
  test('shows one end what the other has added', () => {
    const { main, worker } = setUp();
    worker.addDownloaded(1, 10);
    worker.addNar(1, 20);
    worker.addNar(1, 5);
    assert.deepEqual(main.of(1), { downloadedBytes: 10, narBytes: 25 });
    assert.equal(main.narBytes(1), 25);
  });

  test('tells of uploads where there are any', () => {
    const { main, worker } = setUp();
    worker.addNar(1, 20);
    worker.addUploaded(1, 4);
    worker.addUploaded(1, 3);
    assert.deepEqual(main.of(1), { downloadedBytes: 0, narBytes: 20, uploadedBytes: 7 });
    assert.deepEqual(main.of(2), { downloadedBytes: 0, narBytes: 0 });
    main.reset(1);
    assert.deepEqual(main.of(1), { downloadedBytes: 0, narBytes: 0 });
  });

  test('keeps jobs apart, also where one begins anew', () => {
    const { main, worker } = setUp();
    for (const job of [0, 1, 2]) {
      worker.addDownloaded(job, 1 + job);
      worker.addNar(job, 10 + job);
    }
    main.reset(1);
    assert.deepEqual(
      [0, 1, 2].map((job) => main.of(job)),
      [
        { downloadedBytes: 1, narBytes: 10 },
        { downloadedBytes: 0, narBytes: 0 },
        { downloadedBytes: 3, narBytes: 12 },
      ],
    );
  });

  test('counts more bytes than fit into 32 bits', () => {
    const { main, worker } = setUp();
    worker.addNar(2, 2 ** 45);
    worker.addNar(2, 1);
    assert.equal(main.narBytes(2), 2 ** 45 + 1);
  });
});
