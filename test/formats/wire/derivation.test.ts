import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import { parseContentAddress } from '../../../src/formats/content-address.ts';
import type { BasicDerivation } from '../../../src/formats/derivation.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../../src/formats/store-path.ts';
import { readBasicDerivation, writeBasicDerivation } from '../../../src/formats/wire/derivation.ts';
import { WireWriter } from '../../../src/formats/wire/write.ts';
import { feed, readsAs, type Token, wire } from '../../support/wire.ts';

const HASH = 'g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q';
const DRV_PATH = parseBaseName(`${HASH}-hello-2.12.drv`);
const HEX = '15e3c560894cbb27085cf65b5a2ecb18488c999497f4531b6907a7581ce6d527';

const DERIVATION: BasicDerivation = {
  name: 'hello-2.12',
  outputs: new Map([
    ['flat', { path: parseBaseName(`${HASH}-f`), contentAddress: parseContentAddress(`fixed:sha256:${HEX}`) }],
    ['nar', { path: parseBaseName(`${HASH}-n`), contentAddress: parseContentAddress(`fixed:r:sha256:${HEX}`) }],
    ['out', { path: parseBaseName(`${HASH}-o`) }],
    ['text', { path: parseBaseName(`${HASH}-t`), contentAddress: parseContentAddress(`text:sha256:${HEX}`) }],
  ]),
  inputSrcs: [parseBaseName(`${HASH}-bash`)],
  system: 'x86_64-linux',
  builder: '/bin/sh',
  args: ['-c', 'echo ü'],
  env: new Map([
    ['a', ''],
    ['b', 'two\nlines'],
  ]),
};

/** After NixOS/nix 2.35 libstore/derivations.cc, writeDerivation. */
const WIRE: readonly Token[] = [
  ...[4, 'flat', `/nix/store/${HASH}-f`, 'sha256', HEX, 'nar', `/nix/store/${HASH}-n`, 'r:sha256', HEX],
  ...['out', `/nix/store/${HASH}-o`, '', '', 'text', `/nix/store/${HASH}-t`, 'text:sha256', HEX],
  ...[1, `/nix/store/${HASH}-bash`, 'x86_64-linux', '/bin/sh', 2, '-c', 'echo ü', 2, 'a', '', 'b', 'two\nlines'],
];

test('a derivation is written as Nix reads it', () => {
  const writer = new WireWriter();
  writeBasicDerivation(writer, DEFAULT_STORE_DIR, DERIVATION);
  assert.deepEqual(writer.finish(), wire(...WIRE));
});

test('a derivation is read, its name out of its path', () => {
  readsAs(() => readBasicDerivation(DEFAULT_STORE_DIR, DRV_PATH), wire(...WIRE), DERIVATION);
});

const REJECTED: readonly (readonly [why: string, output: readonly Token[]])[] = [
  ['an output whose path is not known', ['out', '', 'r:sha256', '']],
  ['an output elsewhere', ['out', '/tmp/x', '', '']],
  ['an output with a method and no hash', ['out', `/nix/store/${HASH}-o`, 'r:sha256', '']],
  ['an output with a hash and no method', ['out', `/nix/store/${HASH}-o`, '', HEX]],
  ['an output with an unknown method', ['out', `/nix/store/${HASH}-o`, 'x:sha256', HEX]],
];

for (const [why, output] of REJECTED) {
  test(`a derivation may not have ${why}`, () => {
    assert.throws(
      () => feed(readBasicDerivation(DEFAULT_STORE_DIR, DRV_PATH), wire(1, ...output, 0, '', '', 0, 0)),
      FormatError,
    );
  });
}
