import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TimedOutError, TransferError } from '../../src/errors.ts';
import { CircuitBreaker } from '../../src/substituters/circuit-breaker.ts';

const failure = new TransferError('connection refused', { transient: true });

/** A breaker with a clock that is set by hand, always choosing the longest time, and what it told. */
function setUp() {
  const clock = { now: 0 };
  const told: (number | 'closed')[] = [];
  const breaker = new CircuitBreaker({
    now: () => clock.now,
    random: () => 1,
    onOpened: (_, milliseconds) => told.push(milliseconds),
    onClosed: () => told.push('closed'),
  });
  const fail = (times: number): void => {
    for (let time = 0; time < times; time++) breaker.failed(failure);
  };
  return { breaker, clock, told, fail };
}

describe('a circuit breaker', () => {
  test('lets everything through until three requests in a row have failed', () => {
    const { breaker, fail } = setUp();
    fail(2);
    breaker.succeeded();
    fail(2);
    assert.ok(breaker.allows());
    fail(1);
    assert.ok(!breaker.allows());
    assert.equal(breaker.reason, failure);
  });

  test('lets one request through after a second, and all when that succeeds', () => {
    const { breaker, clock, told, fail } = setUp();
    fail(3);
    clock.now = 999;
    assert.ok(!breaker.allows());
    clock.now = 1_000;
    assert.deepEqual([breaker.allows(), breaker.allows()], [true, false]);
    breaker.succeeded();
    assert.ok(breaker.allows());
    assert.deepEqual(told, [1_000, 'closed']);
  });

  test('is open for twice as long each time it is tried in vain, up to a minute', () => {
    const { breaker, clock, told, fail } = setUp();
    fail(3);
    for (let time = 0; time < 8; time++) {
      clock.now += told.at(-1) as number;
      assert.ok(breaker.allows());
      fail(1);
    }
    assert.deepEqual(
      told,
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000),
    );
  });

  test('is not opened for longer by what was under way when it opened', () => {
    const { breaker, clock, told, fail } = setUp();
    fail(64);
    clock.now = 1_000;
    assert.ok(breaker.allows());
    assert.deepEqual(told, [1_000]);
  });

  test('begins anew with a second once it has been closed', () => {
    const { breaker, clock, told, fail } = setUp();
    fail(3);
    clock.now = 1_000;
    breaker.allows();
    fail(1);
    breaker.succeeded();
    fail(3);
    assert.deepEqual(told, [1_000, 2_000, 'closed', 1_000]);
  });

  test('opens at once, for as long as the peer asks, at most a minute', () => {
    for (const [retryAfter, wanted] of [
      [30_000, 30_000],
      [3_600_000, 60_000],
    ] as const) {
      const { breaker, told } = setUp();
      breaker.failed(new TransferError('too many requests', { transient: true, retryAfter }));
      assert.deepEqual(told, [wanted]);
    }
  });

  test('can be opened at once', () => {
    const { breaker, told } = setUp();
    breaker.trip(failure);
    breaker.trip(failure);
    assert.deepEqual([breaker.allows(), told], [false, [1_000]]);
  });

  test('lets the next one try where the one who was to try gave up', () => {
    const { breaker, clock, fail } = setUp();
    fail(3);
    clock.now = 1_000;
    assert.ok(breaker.allows());
    breaker.untried();
    assert.ok(breaker.allows());
  });

  test('stays open for good once it is disabled, and says so once', () => {
    const { breaker, clock, told } = setUp();
    breaker.disable(new TimedOutError('never'));
    breaker.disable(new TimedOutError('again'));
    breaker.succeeded();
    clock.now = 1e12;
    assert.deepEqual([breaker.isDisabled, breaker.allows()], [true, false]);
    assert.deepEqual(told, [Number.POSITIVE_INFINITY]);
  });
});
