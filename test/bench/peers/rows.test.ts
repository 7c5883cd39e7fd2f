import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RECIPES } from '../../../bench/corpus/recipes.ts';
import { DELAY, LARGE, ROWS, selectRows } from '../../../bench/peers/rows.ts';

const names = (words: readonly string[], large = false): string[] =>
  selectRows({ words, large }).map(({ name }) => name);

test('every row has a name of its own, and a corpus with the compression that it needs', () => {
  assert.equal(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
  for (const row of ROWS) {
    if (row.kind !== 'transfer') continue;
    const recipe = RECIPES.find(({ name }) => name === row.corpus);
    const compressions = recipe?.compressions.map((params) => params.replace(/&.*/, ''));
    assert.ok(compressions?.includes(row.compression), row.name);
    assert.equal(row.name.endsWith(`-${DELAY}ms`), row.delay > 0);
  }
});

test('a word picks the rows that have it as a whole word', () => {
  assert.deepEqual(names(['one']), ['one-zstd']); // and not those with 'none'
  assert.deepEqual(names(['xz']), ['deb-xz', 'deb-xz-20ms', 'huge-xz']);
});

test('several words in one pick rows that have them all; several times pick more', () => {
  assert.deepEqual(names(['deb-20ms']), ['deb-none-20ms', 'deb-zstd-20ms', 'deb-xz-20ms']);
  assert.deepEqual(names(['one', 'huge-xz', 'graph']), ['graph', 'one-zstd', 'huge-xz']);
});

test('what is large is measured on request only', () => {
  const isLarge = (name: string): boolean => LARGE.has(name.split('-')[0]!);
  assert.ok(!names([]).some(isLarge));
  assert.ok(!names(['zstd']).some(isLarge));
  assert.deepEqual(
    names([], true),
    ROWS.map(({ name }) => name),
  );
  assert.ok(names(['zstd'], true).includes('large-zstd'));
  assert.deepEqual(names(['large']), ['large-none', 'large-zstd']);
  assert.deepEqual(names(['large-zstd']), ['large-zstd']);
});
