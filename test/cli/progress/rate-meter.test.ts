import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateMeter } from '../../../src/cli/progress/rate-meter.ts';

test('a rate is unknown, and told as 0, after one sample', () => assert.equal(new RateMeter().sample(5, 100), 0));

test('a steady rate is told as it is', () => {
  const meter = new RateMeter();
  const rates = Array.from({ length: 100 }, (_, tick) => meter.sample(tick * 100, tick * 50));
  assert.equal(rates.at(-1), 500);
});

test('what was longer than three seconds ago does not count', () => {
  const meter = new RateMeter();
  meter.sample(0, 0);
  meter.sample(1000, 9_000_000);
  for (let at = 2000; at <= 5000; at += 100) meter.sample(at, 9_000_000);
  assert.equal(meter.sample(5100, 9_000_000), 0);
});

test('a count that goes back, as when a transfer is given up, is no negative rate', () => {
  const meter = new RateMeter();
  meter.sample(0, 1000);
  assert.equal(meter.sample(100, 0), 0);
});
