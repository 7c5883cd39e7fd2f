import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dispatcher } from 'undici';
import { TimedOutError, TransferError } from '../../../src/errors.ts';
import { type Codec, openDecoder } from '../../../src/stores/compression.ts';
import { exchange, type Outcome } from '../../../src/stores/http/exchange.ts';
import { TransferWatch } from '../../../src/stores/http/watch.ts';

/** A dispatcher that hands out its handler, and a controller that notes what is asked of it. */
function fakeDispatcher() {
  const calls: string[] = [];
  let handler: Dispatcher.DispatchHandler | undefined;
  const controller = {
    aborted: false,
    paused: false,
    reason: null,
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    abort: (reason: Error) => void calls.push(`abort: ${reason.message}`),
  } satisfies Dispatcher.DispatchController;
  const dispatch = (_: unknown, given: Dispatcher.DispatchHandler): boolean => {
    handler = given;
    return true;
  };
  return {
    calls,
    dispatcher: { dispatch } as unknown as Dispatcher, // an exchange uses nothing else of it
    start: () => handler!.onRequestStart!(controller, undefined),
    head: (status: number) => handler!.onResponseStart!(controller, status, {}),
    data: (text: string) => handler!.onResponseData!(controller, Buffer.from(text)),
    end: () => handler!.onResponseEnd!(controller, {}),
    error: (error: Error) => handler!.onResponseError!(controller, error),
  };
}

const watched = () =>
  new TransferWatch([]).watch({ seconds: 0, bytesPerSecond: 1, setting: 'stalled-download-timeout' });
const REQUEST = { url: new URL('http://host/path?secret'), headers: {}, watched: watched() };
const statusOf = (outcome: Outcome): number | undefined =>
  outcome.state === 'answered' ? outcome.head.status : undefined;
const ignore = (): undefined => undefined;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('an exchange', () => {
  test('takes the steps of a response one after another, however they come', async () => {
    const peer = fakeDispatcher();
    const taken: string[] = [];
    const finished = Promise.withResolvers<void>();
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const codec: Codec = {
      push: (chunk) => {
        taken.push(Buffer.from(chunk).toString());
        return taken.length === 1 ? first.promise : second.promise;
      },
      finish: () => {
        taken.push('finish');
        return finished.promise;
      },
      [Symbol.dispose]: () => void taken.push('dispose'),
    };
    let done = false;
    const exchanged = exchange(peer.dispatcher, REQUEST, () => codec).then((outcome) => {
      done = true;
      return outcome;
    });
    peer.start();
    peer.head(200);
    // An HTTP/2 response may go on, and end, although it is paused.
    peer.data('a');
    peer.data('b');
    peer.end();
    await turn();
    assert.deepEqual(taken, ['a']);
    first.resolve();
    await turn();
    assert.deepEqual(taken, ['a', 'b']);
    second.resolve();
    await turn();
    assert.deepEqual(taken, ['a', 'b', 'finish']);
    assert.equal(done, false);
    finished.resolve();
    assert.deepEqual(await exchanged, { state: 'answered', head: { status: 200, headers: {} } } satisfies Outcome);
    assert.deepEqual(taken, ['a', 'b', 'finish', 'dispose']);
  });

  test('holds the peer back while the sink is busy', async () => {
    const peer = fakeDispatcher();
    const { promise, resolve } = Promise.withResolvers<void>();
    const exchanged = exchange(peer.dispatcher, REQUEST, () => openDecoder('none', () => promise));
    peer.start();
    peer.head(200);
    peer.data('a');
    assert.deepEqual(peer.calls, ['pause']);
    resolve();
    await turn();
    assert.deepEqual(peer.calls, ['pause', 'resume']);
    peer.end();
    await exchanged;
  });

  test('takes no notice of the empty chunk with which a response goes on after a pause', async () => {
    const peer = fakeDispatcher();
    const taken: string[] = [];
    const sink = async (chunk: Uint8Array): Promise<void> => {
      taken.push(Buffer.from(chunk).toString());
    };
    const exchanged = exchange(peer.dispatcher, REQUEST, () => openDecoder('none', sink));
    peer.start();
    peer.head(200);
    peer.data('a');
    await turn();
    peer.data('');
    peer.data('b');
    await turn();
    peer.end();
    await exchanged;
    assert.deepEqual(taken, ['a', 'b']);
    assert.deepEqual(peer.calls, ['pause', 'resume', 'pause', 'resume'], 'or one pause would bring about the next');
  });

  test('reads a body that nobody wants for a while, and then leaves it', async () => {
    const peer = fakeDispatcher();
    const exchanged = exchange(peer.dispatcher, REQUEST, ignore);
    peer.start();
    peer.head(500);
    peer.data('x'.repeat(60_000));
    assert.deepEqual(peer.calls, []);
    peer.data('x'.repeat(60_000));
    assert.equal(statusOf(await exchanged), 500);
    assert.equal(peer.calls.length, 1); // closed: the rest would be taken for the next response
  });

  test('does not take an interim response for the response', async () => {
    const peer = fakeDispatcher();
    const exchanged = exchange(peer.dispatcher, REQUEST, ignore);
    peer.start();
    peer.head(103);
    peer.head(404);
    peer.end();
    assert.equal(statusOf(await exchanged), 404);
  });

  test('is over as soon as it is told so, even before it has begun', async () => {
    const peer = fakeDispatcher();
    const abort = new AbortController();
    const exchanged = exchange(peer.dispatcher, { ...REQUEST, signal: abort.signal }, ignore);
    abort.abort(new Error('not needed any more'));
    await assert.rejects(exchanged, /not needed any more/);
    peer.start(); // a connection is free at last
    assert.deepEqual(peer.calls, ['abort: not needed any more']);
  });

  test('names the URL, without its query, and the failure where there is one', async () => {
    for (const [failure, words] of [
      [new Error('other side closed'), 'other side closed'],
      [Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    ] as const) {
      const peer = fakeDispatcher();
      const exchanged = exchange(peer.dispatcher, REQUEST, ignore);
      peer.error(failure);
      const outcome = await exchanged;
      assert.ok(outcome.state === 'broken' && outcome.error instanceof TransferError);
      assert.equal(outcome.error.message, `cannot fetch 'http://host/path': ${words}`);
    }
  });

  test('is broken off before it has begun where the time is over already', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const floor = { seconds: 16, bytesPerSecond: 1, acrossAttempts: true, setting: 'connect-timeout' };
    const late = new TransferWatch([16]).watch(floor);
    late.start();
    t.mock.timers.tick(16_000);
    const dispatch = (): never => assert.fail('nothing is asked');
    const dispatcher = { dispatch } as unknown as Dispatcher;
    const outcome = await exchange(dispatcher, { ...REQUEST, watched: late }, ignore);
    assert.ok(outcome.state === 'broken' && outcome.error instanceof TimedOutError);
  });

  test('releases the codec when the response breaks off', async () => {
    const peer = fakeDispatcher();
    let released = 0;
    const codec: Codec = { push: () => {}, finish: () => {}, [Symbol.dispose]: () => void released++ };
    const exchanged = exchange(peer.dispatcher, REQUEST, () => codec);
    peer.start();
    peer.head(200);
    peer.data('a');
    peer.error(new Error('reset'));
    assert.equal((await exchanged).state, 'broken');
    assert.equal(released, 1);
  });

  test('that breaks off while the sink is busy is over when all that came has been taken', async () => {
    const peer = fakeDispatcher();
    const taken: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const sink = async (chunk: Uint8Array): Promise<void> => {
      taken.push(Buffer.from(chunk).toString());
      if (taken.length === 1) await promise;
    };
    let over = false;
    const exchanged = exchange(peer.dispatcher, REQUEST, () => openDecoder('none', sink)).then((outcome) => {
      over = true;
      return outcome;
    });
    peer.start();
    peer.head(200);
    peer.data('a');
    peer.data('b');
    peer.error(new Error('reset'));
    await turn();
    assert.deepEqual([taken, over], [['a'], false]);
    resolve();
    assert.equal((await exchanged).state, 'broken');
    assert.deepEqual(taken, ['a', 'b']);
  });

  test('that breaks off fails with what the sink fails with', async () => {
    const peer = fakeDispatcher();
    const failure = new Error('disk full');
    const exchanged = exchange(peer.dispatcher, REQUEST, () => openDecoder('none', () => Promise.reject(failure)));
    peer.start();
    peer.head(200);
    peer.data('a');
    peer.error(new Error('reset'));
    await assert.rejects(exchanged, failure);
  });

  test('is watched from the request to its end, but not while the sink holds the peer back', async () => {
    const peer = fakeDispatcher();
    const request = { ...REQUEST, watched: watched() };
    const { promise, resolve } = Promise.withResolvers<void>();
    const exchanged = exchange(peer.dispatcher, request, () => openDecoder('none', () => promise));
    const phases: string[] = [];
    const step = async (take: () => void): Promise<void> => {
      take();
      await turn();
      phases.push(request.watched.phase);
    };
    for (const take of [() => {}, peer.start, () => peer.head(200), () => peer.data('abc'), resolve, peer.end]) {
      await step(take);
    }
    await exchanged;
    assert.deepEqual(phases, ['queued', 'started', 'started', 'held', 'started', 'idle']);
  });
});
