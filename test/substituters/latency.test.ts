import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Latency } from '../../src/substituters/latency.ts';

describe('latency', () => {
  test('is not known before the first answer, and then that of the first', () => {
    const latency = new Latency();
    assert.equal(latency.typical, undefined);
    latency.add(20);
    assert.equal(latency.typical, 20);
  });

  test('is what 95 of 100 answers do not exceed', () => {
    const latency = new Latency();
    for (let time = 0; time < 65; time++) latency.add(time < 61 ? 10 : 500);
    assert.equal(latency.typical, 500);
    for (let time = 0; time < 64; time++) latency.add(time < 62 ? 10 : 500);
    assert.equal(latency.typical, 10);
  });

  test('forgets what is long ago', () => {
    const latency = new Latency();
    for (let time = 0; time < 65; time++) latency.add(500);
    for (let time = 0; time < 64; time++) latency.add(10);
    assert.equal(latency.typical, 10);
  });
});
