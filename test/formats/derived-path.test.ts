import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import {
  type DerivedPath,
  parseDerivedPath,
  printDerivedPath,
  printLegacyDerivedPath,
} from '../../src/formats/derived-path.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../src/formats/store-path.ts';

const H = '00000000000000000000000000000000';
const DRV = `/nix/store/${H}-a.drv`;
const path = parseBaseName(`${H}-a.drv`);

/** After Nix 2.35 libstore-tests/derived-path.cc and outputs-spec.cc. */
const ACCEPTED = [
  [`/nix/store/${H}-a`, { kind: 'opaque', path: parseBaseName(`${H}-a`) }],
  [`${H}-a`, { kind: 'opaque', path: parseBaseName(`${H}-a`) }],
  [DRV, { kind: 'opaque', path }],
  [`${DRV}^out`, { kind: 'built', path, outputs: ['out'] }],
  [`${DRV}!out`, { kind: 'built', path, outputs: ['out'] }],
  [`${H}-a.drv^out,dev`, { kind: 'built', path, outputs: ['dev', 'out'] }],
  [`${DRV}^out,out`, { kind: 'built', path, outputs: ['out'] }],
  [`${DRV}^*`, { kind: 'built', path, outputs: 'all' }],
  [`${DRV}!*`, { kind: 'built', path, outputs: 'all' }],
] as const satisfies readonly (readonly [string, DerivedPath])[];

const REJECTED = [
  ['', 0, 'nothing'],
  ['^out', 0, 'no path'],
  [`/gnu/store/${H}-a.drv^out`, 0, 'another store directory'],
  [`/nix/store/${H}-a^out`, 45, 'an output of what is no derivation'],
  [`${DRV}^`, DRV.length + 1, 'no output'],
  [`${DRV}^out,`, DRV.length + 5, 'an empty name at the end'],
  [`${DRV}^,out`, DRV.length + 1, 'an empty name at the start'],
  [`${DRV}^*,out`, DRV.length + 1, 'all outputs and one'],
  [`${DRV}^out,*`, DRV.length + 5, 'one output and all'],
  [`${DRV}^out^dev`, DRV.length + 1, 'an output of an output'],
  [`${DRV}^out!dev`, DRV.length + 1, 'an output of an output, in the old spelling'],
  [`${DRV}^a b`, DRV.length + 1, 'a space in a name'],
  [`${DRV}^out, dev`, DRV.length + 5, 'a space after a comma'],
  [`${DRV}^${'a'.repeat(212)}`, DRV.length + 1, 'a name that is too long'],
  [`${DRV}^é`, DRV.length + 1, 'a letter that no name has'],
] as const;

describe('a derived path', () => {
  for (const [text, wanted] of ACCEPTED) {
    test(`is read from ${text.replace(H, 'H')}`, () =>
      assert.deepEqual(parseDerivedPath(DEFAULT_STORE_DIR, text), wanted));
  }

  for (const [text, offset, why] of REJECTED) {
    test(`is refused for ${why}`, () => {
      assert.throws(
        () => parseDerivedPath(DEFAULT_STORE_DIR, text),
        (error) => error instanceof FormatError && assert.equal(error.offset, offset, error.message) === undefined,
      );
    });
  }

  test('is read back as printed, also as protocols spell it', () => {
    const anyNames = fc
      .uniqueArray(fc.constantFrom('bin', 'dev', 'out'), { minLength: 1 })
      .map((names) => names.sort());
    fc.assert(
      fc.property(fc.oneof(fc.constant('all' as const), anyNames), (outputs) => {
        const derived: DerivedPath = { kind: 'built', path, outputs };
        assert.deepEqual(parseDerivedPath(DEFAULT_STORE_DIR, printDerivedPath(DEFAULT_STORE_DIR, derived)), derived);
        const legacy = printLegacyDerivedPath(DEFAULT_STORE_DIR, derived);
        assert.match(legacy, /^[^^]*!/);
        assert.deepEqual(parseDerivedPath(DEFAULT_STORE_DIR, legacy), derived);
      }),
    );
  });
});
