import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../src/errors.ts';
import type { DerivedPath } from '../../src/formats/derived-path.ts';
import { parsePathWithOutputs, printPathWithOutputs } from '../../src/formats/path-with-outputs.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../src/formats/store-path.ts';

const P = '/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q';
const path = parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-foo');
const derivation = parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv');

/** NixOS/nix 2.35, src/libstore-tests/data/worker-protocol/derived-path-1.29. */
const SPELLINGS: readonly (readonly [derived: DerivedPath, text: string])[] = [
  [{ kind: 'opaque', path }, `${P}-foo`],
  [{ kind: 'built', path: derivation, outputs: 'all' }, `${P}-bar.drv`],
  [{ kind: 'built', path: derivation, outputs: ['x', 'y'] }, `${P}-bar.drv!x,y`],
];

for (const [derived, text] of SPELLINGS) {
  test(`${text} is spelled and read`, () => {
    assert.equal(printPathWithOutputs(DEFAULT_STORE_DIR, derived), text);
    assert.deepEqual(parsePathWithOutputs(DEFAULT_STORE_DIR, text), derived);
  });
}

test('a derivation itself has no spelling', () => {
  assert.throws(() => printPathWithOutputs(DEFAULT_STORE_DIR, { kind: 'opaque', path: derivation }), FormatError);
});
