import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../src/errors.ts';
import { parseDerivationOutputs } from '../../src/formats/derivation-outputs.ts';

const P = '/nix/store/00000000000000000000000000000000';

/** Starts of derivations, after Nix 2.35 manual, "Derivation ATerm format". */
const ACCEPTED = [
  [`Derive([("out","${P}-x","","")],[("`, [['out', `${P}-x`]]],
  [
    `Derive([("dev","${P}-x-dev","",""),("out","${P}-x","","")],[],`,
    [
      ['dev', `${P}-x-dev`],
      ['out', `${P}-x`],
    ],
  ],
  [`Derive([("out","${P}-x","r:sha256","0a")],`, [['out', `${P}-x`]]],
  ['Derive([("out","","r:sha256","")],', [['out', undefined]]],
  [`DrvWithVersion("xp-dyn-drv",[("out","${P}-x","","")],`, [['out', `${P}-x`]]],
  ['Derive([("a\\"\\\\\\n\\r\\t\\x","","","")],', [['a"\\\n\r\tx', undefined]]],
  ['Derive([],[("', []],
] as const;

const REJECTED = [
  ['', 0, 'nothing'],
  ['#!/bin/sh', 0, 'another kind of file'],
  ['Derive([', 8, 'an end before the first output'],
  ['Derive([("out","/x","")],', 22, 'an output of three strings'],
  ['Derive([("out","/x","",""),', 27, 'an end after the first output'],
  ['Derive([("out","/x","","")', 26, 'an end within the list'],
  [`Derive([("out","${'\\a'.repeat(400_000)}`, 15, 'a string without an end'],
] as const;

describe('the outputs of a derivation', () => {
  for (const [text, wanted] of ACCEPTED) {
    test(`are read from ${text}`, () => {
      assert.deepEqual(
        parseDerivationOutputs(text).map(({ name, path }) => [name, path]),
        wanted,
      );
    });
  }

  for (const [text, offset, why] of REJECTED) {
    test(`are not read from ${why}`, () => {
      assert.throws(
        () => parseDerivationOutputs(text),
        (error) => error instanceof FormatError && error.offset === offset,
      );
    });
  }
});
