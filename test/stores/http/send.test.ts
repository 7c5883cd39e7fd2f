import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dispatcher } from 'undici';
import { TimedOutError, TransferError } from '../../../src/errors.ts';
import { bytesBody, type SendBody, type SendRequest, send } from '../../../src/stores/http/send.ts';
import { TransferWatch } from '../../../src/stores/http/watch.ts';

/** A dispatcher that hands out what it was given, and a controller that notes how it was told to stop. */
function fakeDispatcher() {
  const aborted: string[] = [];
  let options: Dispatcher.DispatchOptions | undefined;
  let handler: Dispatcher.DispatchHandler | undefined;
  const controller = {
    aborted: false,
    paused: false,
    reason: null,
    pause: () => {},
    resume: () => {},
    abort: (reason: Error) => void aborted.push(reason.message),
  } satisfies Dispatcher.DispatchController;
  const dispatch = (given: Dispatcher.DispatchOptions, to: Dispatcher.DispatchHandler): boolean => {
    options = given;
    handler = to;
    return true;
  };
  return {
    aborted,
    dispatcher: { dispatch } as unknown as Dispatcher, // nothing else of it is used
    get headers() {
      return options!.headers;
    },
    /** Reads the body as undici does. */
    iterate: () => (options!.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator](),
    body: async (): Promise<string> =>
      Buffer.concat(await Array.fromAsync(options!.body as AsyncIterable<Uint8Array>)).toString(),
    start: () => handler!.onRequestStart!(controller, undefined),
    head: (status: number) => handler!.onResponseStart!(controller, status, {}),
    data: (data: Uint8Array) => handler!.onResponseData!(controller, Buffer.from(data)),
    end: () => handler!.onResponseEnd!(controller, {}),
    error: (error: Error) => handler!.onResponseError!(controller, error),
  };
}

const REQUEST: SendRequest = { method: 'PUT', url: new URL('http://host/path?geheim'), headers: { 'x-own': 'x' } };

describe('a request with a body', () => {
  test('is sent with its length, and its answer is kept', async () => {
    const fake = fakeDispatcher();
    const sent = send(fake.dispatcher, { ...REQUEST, body: bytesBody(Buffer.from('hello')) });
    assert.deepEqual(fake.headers, { 'x-own': 'x', 'content-length': '5' });
    fake.start();
    assert.equal(await fake.body(), 'hello');
    fake.head(100);
    fake.head(201);
    fake.data(Buffer.from('made'));
    fake.end();
    fake.error(new Error('too late'));
    const outcome = await sent;
    assert.ok(outcome.state === 'succeeded');
    assert.equal(outcome.value.status, 201);
    assert.equal(Buffer.from(outcome.value.body).toString(), 'made');
    assert.deepEqual(fake.aborted, []);
  });

  test('keeps only the beginning of a long answer', async () => {
    const fake = fakeDispatcher();
    const sent = send(fake.dispatcher, REQUEST);
    fake.start();
    fake.head(500);
    for (let count = 0; count < 100; count++) fake.data(new Uint8Array(10_000));
    fake.end();
    const outcome = await sent;
    assert.ok(outcome.state === 'succeeded');
    assert.equal(outcome.value.body.length, 65_536);
  });

  test('is a failure that may pass where the connection breaks, which shows no query', async () => {
    const fake = fakeDispatcher();
    const sent = send(fake.dispatcher, { ...REQUEST, body: bytesBody(Buffer.from('hello')) });
    fake.start();
    fake.error(Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }));
    const outcome = await sent;
    assert.ok(outcome.state === 'failed' && outcome.error instanceof TransferError && outcome.error.transient);
    assert.equal(outcome.error.message, "cannot upload 'http://host/path': other side closed");
  });

  test('that is given up before it begins never begins', async () => {
    const fake = fakeDispatcher();
    const stop = new AbortController();
    const sent = send(fake.dispatcher, { ...REQUEST, signal: stop.signal });
    stop.abort(new Error('stop'));
    await assert.rejects(sent, /stop/);
    fake.start();
    assert.deepEqual(fake.aborted, ['stop']);
  });

  test('reads nothing more of its body when it is over', async () => {
    const fake = fakeDispatcher();
    const stop = new AbortController();
    const reads: number[] = [];
    const body: SendBody = {
      size: 200_000,
      read: (start, size) => {
        reads.push(start);
        stop.abort(new Error('stop'));
        return new Uint8Array(size);
      },
    };
    const sent = send(fake.dispatcher, { ...REQUEST, body, signal: stop.signal });
    fake.start();
    await Promise.all([fake.body(), assert.rejects(sent, /stop/)]);
    assert.deepEqual(reads, [0]);
  });

  test('fails with what reading its body throws', async () => {
    const fake = fakeDispatcher();
    const read = (): never => {
      throw new Error('no such part');
    };
    const sent = send(fake.dispatcher, { ...REQUEST, body: { size: 1, read } });
    fake.start();
    await Promise.all([assert.rejects(fake.body(), /no such part/), assert.rejects(sent, /no such part/)]);
    assert.deepEqual(fake.aborted, ['no such part']);
  });

  test('is not given up while its body goes out, however slow, but when it stops', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    using watch = new TransferWatch([16]);
    using watched = watch.watch({ seconds: 16, bytesPerSecond: 1, setting: 'stalled-download-timeout' });
    const fake = fakeDispatcher();
    const parts = send(fake.dispatcher, { ...REQUEST, body: bytesBody(new Uint8Array(300_000)), watched });
    fake.start();
    const body = fake.iterate();
    for (let part = 0; part < 4; part++) {
      await body.next();
      t.mock.timers.tick(10_000);
    }
    assert.deepEqual(fake.aborted, []);
    t.mock.timers.tick(20_000);
    const outcome = await parts;
    assert.ok(outcome.state === 'failed' && outcome.error instanceof TimedOutError);
    assert.match(outcome.error.message, /^cannot upload 'http:\/\/host\/path': /);
    assert.equal(fake.aborted.length, 1);
  });
});
