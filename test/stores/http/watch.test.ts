import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { TimedOutError } from '../../../src/errors.ts';
import { type Floor, TransferWatch, type WatchedRequest } from '../../../src/stores/http/watch.ts';

const FLOOR: Floor = { seconds: 16, bytesPerSecond: 10, setting: 'connect-timeout' };
const WHOLE: Floor = { ...FLOOR, whole: true, setting: 'narinfo-timeout' };
const URL_ = new URL('http://host/file?secret');

/** A clock that ticks once a second for floors of 16 seconds, and requests that note how they end. */
function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const watch = new TransferWatch([16]);
  const errors: string[] = [];
  const expire = (error: TimedOutError): void => void errors.push(error.message);
  const open = (floor: Floor = FLOOR, url = URL_): WatchedRequest => {
    const request = watch.watch(floor);
    request.attempt();
    request.queue(url, expire);
    return request;
  };
  /** Lets time pass, with so many bytes a second for each of the requests. */
  const pass = (seconds: number, bytes = 0, ...requests: WatchedRequest[]): void => {
    for (let second = 0; second < seconds; second++) {
      for (const request of requests) request.receive(bytes);
      t.mock.timers.tick(1_000);
    }
  };
  return { errors, expire, open, pass };
}

describe('a request is ended', () => {
  test('that brings nothing', (t) => {
    const { errors, open, pass } = setUp(t);
    open().start();
    pass(15);
    assert.deepEqual(errors, []);
    pass(1);
    assert.deepEqual(errors, ["nothing came from 'http://host/file' for 16 s (setting 'connect-timeout')"]);
  });

  test('that brings too little, once what it brought before is long ago', (t) => {
    const { errors, open, pass } = setUp(t);
    const request = open();
    request.start();
    pass(20, 10, request);
    pass(1, 1_000, request);
    pass(15, 9, request);
    assert.deepEqual(errors, []);
    pass(1, 9, request);
    assert.deepEqual(errors, [
      "less than 10 bytes a second came from 'http://host/file' for 16 s (setting 'connect-timeout')",
    ]);
  });

  test('that brings enough, but not all in time, where all is asked for', (t) => {
    const { errors, open, pass } = setUp(t);
    const request = open(WHOLE);
    request.start();
    pass(16, 1_000, request);
    assert.deepEqual(errors, ["no whole answer came from 'http://host/file' for 16 s (setting 'narinfo-timeout')"]);
  });

  test('that waits for a connection, while nothing comes over any', (t) => {
    const { errors, open, pass } = setUp(t);
    open();
    open(WHOLE);
    pass(16);
    assert.equal(errors.length, 2);
  });

  test('that waits for a connection, while too little comes over all of them', (t) => {
    const { errors, open, pass } = setUp(t);
    const others = Array.from({ length: 4 }, () => open({ ...FLOOR, bytesPerSecond: 0 }));
    for (const other of others) other.start();
    open(FLOOR, new URL('http://host/waiting'));
    pass(16, 2, ...others);
    assert.deepEqual(errors.length, 1);
    assert.match(errors[0]!, /waiting/);
  });

  test('in its next attempt, where it is watched across attempts and nothing came in the last', (t) => {
    const { errors, expire, open, pass } = setUp(t);
    const request = open({ ...FLOOR, acrossAttempts: true });
    request.start();
    pass(10);
    request.finish();
    pass(6);
    assert.deepEqual(errors, []);
    request.attempt();
    request.queue(URL_, expire);
    assert.equal(errors.length, 1);
  });
});

describe('a request goes on', () => {
  test('that brings just enough, in bursts', (t) => {
    const { errors, open, pass } = setUp(t);
    const request = open();
    request.start();
    for (let burst = 0; burst < 10; burst++) {
      pass(1, 160, request);
      pass(15);
    }
    assert.deepEqual(errors, []);
  });

  test('that holds the peer back', (t) => {
    const { errors, open, pass } = setUp(t);
    const request = open();
    request.start();
    pass(10);
    request.phase = 'held';
    pass(100);
    request.phase = 'started';
    pass(5);
    assert.deepEqual(errors, []);
    pass(1);
    assert.equal(errors.length, 1);
  });

  test('that waits for a connection while others are served, or have so much to do that they hold the peer back', (t) => {
    const { errors, open, pass } = setUp(t);
    const other = open();
    other.start();
    open();
    pass(50, 10, other);
    other.phase = 'held';
    pass(50);
    assert.deepEqual(errors, []);
  });

  test('that waits for a connection while others are told that there is nothing', (t) => {
    const { errors, open, pass } = setUp(t);
    open();
    for (let answered = 0; answered < 10; answered++) {
      using other = open();
      other.start();
      pass(5);
      other.answer();
      other.finish();
    }
    assert.deepEqual(errors, []);
  });

  test('that has all its time from where it gets a connection, if others were served until then', (t) => {
    const { errors, open, pass } = setUp(t);
    const [other, request] = [open(), open(WHOLE)];
    other.start();
    pass(15, 1_000, other);
    request.start();
    pass(15, 1_000, other);
    assert.deepEqual(errors, []);
    pass(1, 1_000, other);
    assert.equal(errors.length, 1);
  });

  test('that has all its time again in its next attempt, and between them none passes', (t) => {
    const { errors, expire, open, pass } = setUp(t);
    const request = open();
    request.start();
    pass(15);
    request.finish();
    pass(100);
    request.attempt();
    request.queue(URL_, expire);
    request.start();
    pass(15);
    assert.deepEqual(errors, []);
  });

  test('for which there is no limit', (t) => {
    const { errors, open, pass } = setUp(t);
    open({ ...WHOLE, seconds: 0 }).start();
    pass(10_000);
    assert.deepEqual(errors, []);
  });
});

test('floors for different times are watched at once', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const watch = new TransferWatch([0, 16, 320]);
  const ended: number[] = [];
  for (const seconds of [16, 320]) {
    const request = watch.watch({ ...FLOOR, seconds });
    request.attempt();
    request.queue(URL_, () => {
      ended.push(seconds);
      request[Symbol.dispose]();
    });
    request.start();
  }
  t.mock.timers.tick(319_000);
  assert.deepEqual(ended, [16]);
  t.mock.timers.tick(1_000);
  assert.deepEqual(ended, [16, 320]);
});

test('there is one timer for all requests, and none when they are over', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const intervals = t.mock.method(globalThis, 'setInterval');
  const ends = t.mock.method(globalThis, 'clearInterval');
  const watch = new TransferWatch([16]);
  const requests = Array.from({ length: 5 }, () => watch.watch(FLOOR));
  assert.equal(intervals.mock.callCount(), 1);
  for (const request of requests) request[Symbol.dispose]();
  t.mock.timers.tick(1_000);
  assert.equal(ends.mock.callCount(), 1);
  watch.watch(FLOOR);
  assert.equal(intervals.mock.callCount(), 2);
  watch[Symbol.dispose]();
  assert.equal(ends.mock.callCount(), 2);
});
