import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkList } from '../../../src/cli/query/work-list.ts';
import { seededIntegers } from '../../support/synthetic-corpus.ts';

test('a work list gives the smallest name next, each once, also of those added meanwhile', () => {
  const work = new WorkList<string>(['m', 'c', 'm']);
  const taken: string[] = [];
  for (const name of work) {
    taken.push(name);
    if (name === 'c') for (const more of ['a', 'z', 'c', 'd']) work.add(more);
  }
  assert.deepEqual(taken, ['c', 'a', 'd', 'm', 'z']);
});

test('a work list sorts', () => {
  const below = seededIntegers(5);
  const names = Array.from({ length: 2_000 }, () => String(below(1_500)).padStart(4, '0'));
  assert.deepEqual([...new WorkList(names)], [...new Set(names)].sort());
});
