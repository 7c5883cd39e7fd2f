import assert from 'node:assert/strict';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { describe, type TestContext, test } from 'node:test';
import { BusyMeter } from '../../src/pool/busy-meter.ts';

/** An event loop that spends its time as it is told. */
class FakeLoop {
  #idle = 0;
  #active = 0;

  spend(active: number, idle: number): void {
    this.#active += active;
    this.#idle += idle;
  }

  /** What perf_hooks answers: all there was, or what `later` has and `earlier` had not. */
  readonly eventLoopUtilization = (later?: EventLoopUtilization, earlier?: EventLoopUtilization) => {
    const idle = later === undefined ? this.#idle : later.idle - (earlier?.idle ?? 0);
    const active = later === undefined ? this.#active : later.active - (earlier?.active ?? 0);
    return { idle, active, utilization: active / (idle + active || 1) };
  };
}

/** A meter that sees the time pass only where it is told so, and this thread's loop as a fake. */
function setUp({ mock }: TestContext): { meter: BusyMeter; own: FakeLoop; pass: (milliseconds: number) => void } {
  const own = new FakeLoop();
  let now = 1_000;
  mock.method(performance, 'now', () => now);
  mock.method(performance, 'eventLoopUtilization', own.eventLoopUtilization);
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  return { meter: new BusyMeter(), own, pass };
}

describe('a busy meter', () => {
  test('says of each loop which part of the time it worked', (context) => {
    const { meter, own, pass } = setUp(context);
    const loops = [new FakeLoop(), new FakeLoop()] as const;
    own.spend(10, 90);
    loops[0].spend(75, 25);
    loops[1].spend(0, 100);
    pass(100);
    assert.equal(
      meter.look(() => loops),
      true,
    );
    assert.deepEqual([meter.own, meter.others], [0.1, [0.75, 0]]);
  });

  test('counts only what was since it looked last', (context) => {
    const { meter, own, pass } = setUp(context);
    const loop = new FakeLoop();
    own.spend(100, 0);
    loop.spend(100, 0);
    pass(100);
    meter.look(() => [loop]);
    own.spend(0, 50);
    loop.spend(25, 75);
    pass(100);
    meter.look(() => [loop]);
    assert.deepEqual([meter.own, meter.others], [0, [0.25]]);
  });

  test('does not look again after a moment, which would say little', (context) => {
    const { meter, pass } = setUp(context);
    const loop = new FakeLoop();
    loop.spend(5, 5);
    pass(9);
    assert.equal(
      meter.look(() => [loop]),
      false,
    );
    assert.deepEqual(meter.others, []);
    loop.spend(10, 0);
    pass(1);
    assert.equal(
      meter.look(() => [loop]),
      true,
    );
    assert.deepEqual(meter.others, [0.75], 'what was not looked at counts the next time');
    pass(9);
    assert.equal(
      meter.look(() => []),
      false,
    );
    assert.deepEqual(meter.others, [0.75], 'as it was');
  });

  test('leaves out a loop that has not begun, and forgets one that is gone', (context) => {
    const { meter, pass } = setUp(context);
    const [first, second] = [new FakeLoop(), new FakeLoop()];
    first.spend(1, 1);
    pass(10);
    meter.look(() => [first, second]);
    assert.deepEqual(meter.others, [0.5]);
    second.spend(3, 1);
    pass(10);
    meter.look(() => [second]);
    assert.deepEqual(meter.others, [0.75]);
  });
});
