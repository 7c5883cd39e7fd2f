import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { JobMessage, JobName, JobReply, Outcome } from '../../src/pool/messages.ts';
import { ProgressMemory } from '../../src/pool/progress-memory.ts';
import { WorkerThread } from '../../src/pool/worker-thread.ts';
import { makeSettings } from '../../src/settings.ts';

const MIB = 1024 * 1024;

interface SetUp extends Disposable {
  readonly thread: WorkerThread;
  /** Starts a job of the given weight; how it ends. */
  readonly start: (weight?: number) => { readonly job: number; readonly ended: Promise<Outcome<JobName>> };
  /** The other end of the port: no thread is there. */
  readonly port: MessagePort;
  readonly progress: ProgressMemory;
  /** What has been sent since the last call, at the end of this turn. */
  readonly sent: () => Promise<(JobMessage | string)[]>;
  readonly answer: (...jobs: readonly number[]) => void;
}

function setUp(capacity = 4): SetUp {
  const thread = new WorkerThread(makeSettings(), capacity);
  const { port, progress } = thread.task;
  const start: SetUp['start'] = (weight = 0) => {
    const ended = Promise.withResolvers<Outcome<JobName>>();
    return { job: thread.start('open', { stores: [] }, { weight, ended }), ended: ended.promise };
  };
  const sent = async (): Promise<string[]> => {
    await new Promise(setImmediate);
    const messages: JobMessage[] = [];
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      messages.push(...next.message);
    }
    return messages.map(({ job, name }) => `${name} ${job}`);
  };
  const answer = (...jobs: readonly number[]): void => {
    port.postMessage(jobs.map((job): JobReply => ({ job, outcome: { ok: true, reply: { of: job } } })));
  };
  return {
    thread,
    start,
    port,
    progress: new ProgressMemory(progress),
    sent,
    answer,
    [Symbol.dispose]: () => thread.close(),
  };
}

describe('a worker thread, as its pool sees it', () => {
  test('gives every job that runs a number of its own, until it is full', () => {
    using given = setUp(3);
    const jobs = [1, 2, 3].map(() => {
      assert.equal(given.thread.isFull, false);
      return given.start().job;
    });
    assert.deepEqual(jobs.toSorted(), [0, 1, 2]);
    assert.equal(given.thread.isFull, true);
    assert.equal(given.thread.jobs, 3);
  });

  test('hands each job the answer to it, in whatever order they come', async () => {
    using given = setUp();
    const [first, second, third] = [given.start(), given.start(), given.start()];
    given.answer(third.job, first.job);
    given.answer(second.job);
    for (const { job, ended } of [first, second, third]) {
      assert.deepEqual(await ended, { ok: true, reply: { of: job } });
    }
    assert.equal(given.thread.jobs, 0);
  });

  test('says that a job is cancelled before it says that another has its number', async () => {
    using given = setUp(1);
    const first = given.start();
    assert.deepEqual(await given.sent(), ['open 0']);
    given.answer(first.job); // it has ended before it hears of this:
    given.thread.cancel(first.job);
    await first.ended;
    const second = given.start();
    assert.equal(second.job, first.job);
    assert.deepEqual(await given.sent(), ['cancel 0', 'open 0']);
  });

  test('starts the progress of a job at nothing, whoever had its number', async () => {
    using given = setUp(1);
    const first = given.start();
    given.progress.addNar(first.job, 5);
    given.progress.addDownloaded(first.job, 3);
    assert.deepEqual(given.thread.progressOf(first.job), { downloadedBytes: 3, narBytes: 5 });
    given.answer(first.job);
    await first.ended;
    const { job } = given.start();
    assert.deepEqual(given.thread.progressOf(job), { downloadedBytes: 0, narBytes: 0 });
  });

  test('has as load what is left of the weight of its jobs, and a little for each', async () => {
    using given = setUp();
    assert.equal(given.thread.load, 0);
    const light = given.start();
    const each = given.thread.load;
    assert.ok(each > 0 && each < MIB, 'so that a thousand small jobs are a load, too');
    const heavy = given.start(10 * MIB);
    assert.equal(given.thread.load, 10 * MIB + 2 * each);
    given.progress.addNar(heavy.job, 4 * MIB);
    assert.equal(given.thread.load, 6 * MIB + 2 * each);
    given.progress.addNar(heavy.job, 16 * MIB); // more than was announced
    assert.equal(given.thread.load, 2 * each);
    given.answer(light.job, heavy.job);
    await heavy.ended;
    assert.equal(given.thread.load, 0);
  });

  test('fails all jobs when it dies, and says why', async () => {
    using given = setUp();
    const cause = new Error('out of memory');
    const [first, second] = [given.start(), given.start()];
    given.thread.died(cause);
    for (const { ended } of [first, second]) {
      const message = "the worker thread ended while it ran a 'open' job: out of memory";
      await assert.rejects(ended, { code: 'ERR_INTERNAL', message, cause });
    }
    assert.equal(given.thread.jobs, 0);
  });

  test('lets the thread go when it is closed', async () => {
    using given = setUp();
    const closed = new Promise((resolve) => given.port.once('close', resolve));
    given.thread.close();
    await closed;
  });
});
