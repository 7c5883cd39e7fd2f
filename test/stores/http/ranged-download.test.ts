import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TransferError } from '../../../src/errors.ts';
import type { CacheTransport, StreamOptions } from '../../../src/stores/cache-transport.ts';
import type { RangePolicy } from '../../../src/stores/http/range-policy.ts';
import { downloadInRanges } from '../../../src/stores/http/ranged-download.ts';
import type { Sink } from '../../../src/stores/store.ts';
import { SimulatedTime } from '../../support/simulated-time.ts';

const MEBIBYTE = 2 ** 20;
/** No two mebibytes of it are the same. */
const FILE = Buffer.alloc(200 * MEBIBYTE, Buffer.from(Array.from({ length: 997 }, (_, index) => (index * 7) % 251)));
const SIZE = FILE.length;
/** Bytes a millisecond of each connection: all of it takes 50 seconds over one. */
const RATE = SIZE / 50_000;
const ALONE = 50_000;
/** To the first byte, in milliseconds. */
const LATENCY = 50;
const STEP = 20;

interface Network {
  /** Bytes a millisecond of all connections together. */
  readonly total?: number;
  /** What happens to the request of that number, in place of its first byte or after so many. */
  readonly failure?: (request: number) => { readonly after: number; readonly error?: Error } | undefined;
}

/** A cache with one file, in a network where time is simulated. */
class SimulatedCache implements CacheTransport {
  readonly uri = 'fake://cache';
  readonly mayBeNew = false;
  readonly servesRanges = true;
  /** What was asked for: from where, and how much. */
  readonly requests: [offset: number, length: number | undefined][] = [];
  active = 0;
  maxActive = 0;
  sent = 0;
  readonly #time: SimulatedTime;
  readonly #network: Network;

  constructor(time: SimulatedTime, network: Network = {}) {
    this.#time = time;
    this.#network = network;
  }

  async getFile(): Promise<undefined> {}

  async streamFile(_name: string, sink: Sink, { offset = 0, length, signal }: StreamOptions = {}): Promise<void> {
    using resources = new DisposableStack();
    const failure = this.#network.failure?.(this.requests.length);
    this.requests.push([offset, length]);
    this.maxActive = Math.max(this.maxActive, ++this.active);
    resources.defer(() => this.active--);
    await this.#time.wait(LATENCY, signal);
    const end = Math.min(offset + (length ?? SIZE), offset + (failure?.after ?? SIZE), SIZE);
    for (let position = offset; position < end; ) {
      await this.#time.wait(STEP, signal);
      const rate = Math.min(RATE, (this.#network.total ?? Number.POSITIVE_INFINITY) / this.active);
      const chunk = FILE.subarray(position, Math.min(end, position + Math.ceil(rate * STEP)));
      position += chunk.length;
      this.sent += chunk.length;
      await sink(chunk);
      signal?.throwIfAborted();
    }
    if (failure?.error !== undefined) throw failure.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

interface Outcome {
  readonly milliseconds: number;
  /** How much had been sent and not been handed on at once, at most. */
  readonly ahead: number;
  /** The same as a part of what had been handed on, once that is 160 MiB. */
  readonly shareAhead: number;
}

function policyOf(time: SimulatedTime, changes: Partial<RangePolicy> = {}): RangePolicy {
  const wait = (milliseconds: number, signal: AbortSignal): Promise<void> => time.wait(milliseconds, signal);
  const timing = { window: 750, worthwhile: 4_000, rest: 600_000 };
  return { ...timing, now: () => time.now, wait, busy: () => () => 0.1, ...changes };
}

/** Downloads the file, and checks every byte. */
async function download(
  time: SimulatedTime,
  cache: SimulatedCache,
  { policy, ...options }: StreamOptions & { readonly policy?: Partial<RangePolicy> } = {},
): Promise<Outcome> {
  const start = time.now;
  const sentBefore = cache.sent;
  const { offset = 0 } = options;
  let position = offset;
  let ahead = 0;
  let shareAhead = 0;
  const check = (chunk: Uint8Array): void => {
    const wanted = FILE.subarray(position, position + chunk.length);
    assert.ok(wanted.equals(chunk), `wrong bytes at ${position}`);
    position += chunk.length;
    ahead = Math.max(ahead, cache.sent - sentBefore + offset - position);
    if (position > 160 * MEBIBYTE)
      shareAhead = Math.max(shareAhead, (cache.sent - sentBefore + offset - position) / position);
  };
  const pending = downloadInRanges(cache, 'x', check, { ...options, size: SIZE }, policyOf(time, policy));
  await time.until(pending);
  assert.equal(position, SIZE);
  assert.equal(cache.active, 0);
  return { milliseconds: time.now - start, ahead, shareAhead };
}

const rangesOf = ({ requests }: SimulatedCache): number => requests.filter(([, length]) => length !== undefined).length;

describe('a download in ranges', () => {
  test('is several times faster where every connection gets only so much', async () => {
    const time = new SimulatedTime();
    const cache = new SimulatedCache(time);
    const { milliseconds, ahead, shareAhead } = await download(time, cache);
    assert.ok(milliseconds < ALONE / 4, `${milliseconds} ms`);
    assert.equal(cache.maxActive, 8);
    assert.ok(ahead <= 32 * MEBIBYTE);
    assert.ok(shareAhead < 0.05, `${shareAhead}`);
    assert.ok(cache.sent < SIZE * 1.01);
  });

  test('begins where a part ends that is there already', async () => {
    const time = new SimulatedTime();
    const cache = new SimulatedCache(time);
    const { milliseconds } = await download(time, cache, { offset: SIZE / 4 });
    assert.ok(milliseconds < ALONE / 4);
    assert.deepEqual(cache.requests[0], [SIZE / 4, undefined]);
  });

  test('costs next to nothing where all connections share what there is, and is not tried again for a while', async () => {
    const time = new SimulatedTime();
    const cache = new SimulatedCache(time, { total: RATE });
    const { milliseconds } = await download(time, cache);
    assert.ok(milliseconds < ALONE * 1.05, `${milliseconds} ms`);
    assert.ok(cache.sent < SIZE * 1.05, `${cache.sent / SIZE}`);
    assert.ok(rangesOf(cache) > 0);

    const tried = rangesOf(cache);
    await download(time, cache);
    assert.equal(rangesOf(cache), tried);
    await time.until(time.wait(600_000));
    await download(time, cache);
    assert.ok(rangesOf(cache) > tried);
  });

  test('takes no more lanes than are of use', async () => {
    const time = new SimulatedTime();
    const cache = new SimulatedCache(time, { total: 2 * RATE });
    const { milliseconds } = await download(time, cache);
    assert.ok(milliseconds < (ALONE / 2) * 1.3, `${milliseconds} ms`);
    assert.ok(cache.maxActive <= 5); // four were tried, and one more was about to end
  });

  test('is one stream where little is left', async () => {
    const time = new SimulatedTime();
    const cache = new SimulatedCache(time);
    await download(time, cache, { offset: SIZE - RATE * 5_000 });
    assert.equal(cache.requests.length, 1);
  });

  test('is one stream where the thread has enough to do', async () => {
    const time = new SimulatedTime();
    const cache = new SimulatedCache(time);
    await download(time, cache, { policy: { busy: () => () => 0.9 } });
    assert.equal(cache.requests.length, 1);
  });

  test('is one stream, not interrupted, where the server has no parts', async () => {
    const time = new SimulatedTime();
    const error = new TransferError('not served in parts');
    const cache = new SimulatedCache(time, { failure: (request) => (request > 0 ? { after: 0, error } : undefined) });
    const { milliseconds } = await download(time, cache);
    assert.ok(milliseconds < ALONE * 1.01);
    assert.equal(cache.requests.length, 2);
  });

  for (const [what, error] of [
    ['fails', new TransferError('reset')],
    ['is too short', undefined],
  ] as const) {
    test(`goes on as one stream where a range ${what}`, async () => {
      const time = new SimulatedTime();
      const cache = new SimulatedCache(time, {
        failure: (request) => (request === 50 ? { after: 1_000, ...(error && { error }) } : undefined),
      });
      await download(time, cache);
      assert.equal(cache.requests.at(-1)![1], undefined);
      assert.equal(cache.requests.filter(([, length]) => length === undefined).length, 2);
    });
  }

  test('is for one at a time in a thread', async () => {
    const time = new SimulatedTime();
    const first = new SimulatedCache(time);
    const second = new SimulatedCache(time);
    await Promise.all([download(time, first), download(time, second)]);
    assert.ok(rangesOf(first) > 0);
    assert.equal(rangesOf(second), 0);
    const third = new SimulatedCache(time);
    await download(time, third);
    assert.ok(rangesOf(third) > 0);
  });

  test('holds nothing against a cache that it was aborted', async () => {
    const time = new SimulatedTime();
    const cache = new SimulatedCache(time);
    const aborter = new AbortController();
    const options = { size: SIZE, signal: aborter.signal };
    const pending = downloadInRanges(cache, 'x', () => {}, options, policyOf(time));
    void time.wait(6_000).then(() => aborter.abort());
    await assert.rejects(time.until(pending), { name: 'AbortError' });
    const { milliseconds } = await download(time, cache);
    assert.ok(milliseconds < ALONE / 4);
  });

  for (const moment of [100, 1_600, 2_100, 6_000]) {
    test(`ends everything when it is aborted after ${moment} ms`, async () => {
      const time = new SimulatedTime();
      const cache = new SimulatedCache(time);
      const aborter = new AbortController();
      const reason = new Error('enough');
      const options = { size: SIZE, signal: aborter.signal };
      const pending = downloadInRanges(cache, 'x', () => {}, options, policyOf(time));
      void time.wait(moment).then(() => aborter.abort(reason));
      await assert.rejects(time.until(pending), reason);
      assert.equal(cache.active, 0);
    });

    test(`ends everything when its sink fails after ${moment} ms`, async () => {
      const time = new SimulatedTime();
      const cache = new SimulatedCache(time);
      const failure = new Error('disk full');
      const sink = (): void => {
        if (time.now >= moment) throw failure;
      };
      await assert.rejects(time.until(downloadInRanges(cache, 'x', sink, { size: SIZE }, policyOf(time))), failure);
      assert.equal(cache.active, 0);
    });
  }

  test('fails as the stream does, before and after there are ranges', async () => {
    for (const failing of [0, 20]) {
      const time = new SimulatedTime();
      const error = new TransferError('gone');
      const cache = new SimulatedCache(time, {
        failure: (request) => (request >= failing ? { after: 0, error } : undefined),
      });
      const pending = downloadInRanges(cache, 'x', () => {}, { size: SIZE }, policyOf(time));
      await assert.rejects(time.until(pending), error);
      assert.equal(cache.active, 0);
    }
  });
});
