import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../src/errors.ts';
import {
  type DerivedPath,
  parseDerivedPath,
  parsePathWithOutputs,
  printDerivedPath,
  printPathWithOutputs,
} from '../../src/formats/derived-path.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../src/formats/store-path.ts';

const P = '/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q';
const path = parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-foo');
const drvPath = parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv');

/** NixOS/nix 2.35, src/libstore-tests/data/worker-protocol/derived-path-1.30 and 1.29. */
const SPELLINGS: readonly (readonly [derived: DerivedPath, now: string, before: string | undefined])[] = [
  [{ path }, `${P}-foo`, `${P}-foo`],
  [{ path: drvPath }, `${P}-bar.drv`, undefined],
  [{ drvPath, outputs: 'all' }, `${P}-bar.drv!*`, `${P}-bar.drv`],
  [{ drvPath, outputs: ['x', 'y'] }, `${P}-bar.drv!x,y`, `${P}-bar.drv!x,y`],
];

for (const [derived, now, before] of SPELLINGS) {
  test(`${now} is spelled and read`, () => {
    assert.equal(printDerivedPath(DEFAULT_STORE_DIR, derived), now);
    assert.deepEqual(parseDerivedPath(DEFAULT_STORE_DIR, now), derived);
    if (before === undefined) {
      assert.throws(() => printPathWithOutputs(DEFAULT_STORE_DIR, derived), FormatError);
    } else {
      assert.equal(printPathWithOutputs(DEFAULT_STORE_DIR, derived), before);
      assert.deepEqual(parsePathWithOutputs(DEFAULT_STORE_DIR, before), derived);
    }
  });
}

for (const [text, why] of [
  ['/tmp/x', 'a path elsewhere'],
  [`${P}-bar.drv!`, 'no output'],
  [`${P}-bar.drv!x,`, 'an output without a name'],
  [`${P}-bar.drv!a b`, 'a name that no output has'],
] as const) {
  test(`${why} is no derived path`, () => {
    assert.throws(() => parseDerivedPath(DEFAULT_STORE_DIR, text), FormatError);
  });
}
