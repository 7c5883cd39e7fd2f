import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Turns } from '../../../src/stores/http/turns.ts';

describe('turns', () => {
  test('let so many in at once, and the others as they came', async () => {
    const turns = new Turns(2);
    const entered: number[] = [];
    const first = await turns.take();
    const second = await turns.take();
    const later = [3, 4].map(async (number) => {
      using _turn = await turns.take();
      entered.push(number);
    });
    await new Promise(setImmediate);
    assert.deepEqual(entered, []);
    first[Symbol.dispose]();
    first[Symbol.dispose](); // ends it once
    await Promise.all(later);
    assert.deepEqual(entered, [3, 4]);
    second[Symbol.dispose]();
    using _again = await turns.take();
    using _both = await turns.take();
  });

  test('let go who does not want to wait any more', async () => {
    const turns = new Turns(1);
    const first = await turns.take();
    const stop = new AbortController();
    const left = turns.take(stop.signal);
    const stayed = turns.take();
    stop.abort(new Error('stop'));
    await assert.rejects(left, /stop/);
    first[Symbol.dispose]();
    using _turn = await stayed;
    await assert.rejects(turns.take(stop.signal), /stop/);
  });
});
