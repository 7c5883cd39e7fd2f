import assert from 'node:assert/strict';
import { test } from 'node:test';
import { medianOf, ratiosOf, type Side, timePair } from '../../bench/beside-nix.ts';

test('the sides of a pair are run in turns, and each is first in every other round', async () => {
  const ran: string[] = [];
  const side = (name: string): Side => ({
    name,
    before: () => void ran.push('before'),
    run: () => void ran.push(name),
    after: () => void ran.push('after'),
  });
  const times = await timePair([side('a'), side('b')], 3);
  const names = ran.filter((_, index) => index % 3 === 1);
  assert.deepEqual(names, ['a', 'b', 'b', 'a', 'a', 'b']);
  assert.deepEqual(ran.slice(0, 3), ['before', 'a', 'after']);
  assert.deepEqual(
    times.map(({ name, milliseconds }) => [name, milliseconds.length]),
    [
      ['a', 3],
      ['b', 3],
    ],
  );
});

test('ratios are of runs in the same round, sorted; of one side there are none', () => {
  const [first, other] = [
    { name: 'a', milliseconds: [1, 2, 4] },
    { name: 'b', milliseconds: [3, 2, 8] },
  ];
  assert.deepEqual(ratiosOf([first, other]), [1, 2, 3]);
  assert.deepEqual(ratiosOf([first]), []);
});

test('a median is the number in the middle, or between the two there', () => {
  assert.equal(medianOf([7]), 7);
  assert.equal(medianOf([1, 2, 9]), 2);
  assert.equal(medianOf([1, 2, 4, 9]), 3);
});
