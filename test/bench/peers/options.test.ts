import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { HELP, parseOptions } from '../../../bench/peers/options.ts';
import { ROWS } from '../../../bench/peers/rows.ts';
import { UsageError } from '../../../src/errors.ts';

test('without options everything but the large is measured, in five pairs', () => {
  const { words, large, pairs, check, json } = parseOptions([]);
  assert.deepEqual(
    { words, large, pairs, check, json },
    { words: [], large: false, pairs: 5, check: false, json: undefined },
  );
});

test('corpora are kept with other caches of the user', () => {
  assert.equal(parseOptions([], { HOME: '/home/eve' }).corpora, '/home/eve/.cache/sluice/bench-corpora');
  assert.equal(parseOptions([], { HOME: '/home/eve', XDG_CACHE_HOME: '/c' }).corpora, '/c/sluice/bench-corpora');
  assert.equal(parseOptions(['--corpora', 'x']).corpora, resolve('x'));
});

test('options are read', () => {
  const args = ['--rows', 'tiny', '--rows', 'deb-xz', '--pairs', '9', '--large', '--json', '/a', '--compare', '/b'];
  const { words, pairs, large, json, compare } = parseOptions(args);
  assert.deepEqual(
    { words, pairs, large, json, compare },
    {
      words: ['tiny', 'deb-xz'],
      pairs: 9,
      large: true,
      json: '/a',
      compare: '/b',
    },
  );
});

const REJECTED = [
  [['--pears', '3'], /--pears/, 'an option that there is not'],
  [['tiny'], /tiny/, 'a word that is no option'],
  [['--pairs', '0'], /'--pairs' wants a whole number above zero, got '0'/, 'no pairs at all'],
  [['--pairs', '1.5'], /got '1.5'/, 'half a pair'],
  [['--rows', 'tinny'], /no row has 'tinny' in its name/, 'a word that no row has'],
  [['--rows', ''], /no row has ''/, 'an empty word'],
] as const;

for (const [args, message, why] of REJECTED) {
  test(`${why} is rejected`, () => {
    assert.throws(
      () => parseOptions(args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}

test('the help names every row and fits into 120 columns', () => {
  for (const { name } of ROWS) assert.ok(HELP.includes(name), name);
  const prose = HELP.split('\n').filter((line) => !line.includes(ROWS[1]!.name));
  assert.deepEqual(
    prose.filter((line) => line.length > 120),
    [],
  );
});
