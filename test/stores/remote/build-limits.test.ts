import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildLimits } from '../../../src/stores/remote/build-limits.ts';

const ended = new Error('ended');

test('a build without limits goes on for ever', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  using limits = new BuildLimits({ timeout: 0, maxSilentTime: 0, maxLogSize: 0 }, 0);
  limits.begin();
  t.mock.timers.tick(10 ** 9);
  limits.line('x'.repeat(10 ** 6));
  assert.equal(limits.signal.aborted, false);
  assert.throws(() => limits.result(ended), ended);
});

test('a build that takes too long is ended, whatever it says', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  using limits = new BuildLimits({ timeout: 5, maxSilentTime: 3 }, 0);
  limits.begin();
  for (const _ of [1, 2]) {
    t.mock.timers.tick(2_000);
    limits.line('still here');
  }
  assert.equal(limits.signal.aborted, false);
  t.mock.timers.tick(1_000);
  assert.equal(limits.signal.aborted, true);
  const { status, message, startTime, stopTime } = limits.result(ended);
  assert.deepEqual([status, stopTime - startTime], ['timedOut', 5]);
  assert.match(message, /longer than 5 s/);
});

test('a build that is silent is ended', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  using limits = new BuildLimits({ maxSilentTime: 3 }, 1);
  t.mock.timers.tick(60_000); // it waits for a connection
  limits.begin();
  t.mock.timers.tick(3_999);
  assert.equal(limits.signal.aborted, false);
  t.mock.timers.tick(1);
  assert.match(limits.result(ended).message, /silent for 3 s/);
});

test('a log that is too long ends a build, and what is too much is not passed on', () => {
  const log: string[] = [];
  using limits = new BuildLimits({ maxLogSize: 8, onLogLine: (line) => void log.push(line) }, 0);
  limits.begin();
  for (const line of ['abc', 'def', 'g']) limits.line(line);
  assert.deepEqual(log, ['abc', 'def']);
  assert.equal(limits.result(ended).status, 'logLimitExceeded');
});

test('who is cancelled has no result', () => {
  using limits = new BuildLimits({ maxLogSize: 1, signal: AbortSignal.abort(ended) }, 0);
  limits.begin();
  limits.line('too long');
  assert.equal(limits.signal.aborted, true);
  assert.throws(() => limits.result(ended), ended);
});
