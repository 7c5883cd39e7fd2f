import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanSize } from '../../src/cli/human-size.ts';

/** From renderSize in Nix 2.35, libutil/util.cc. */
const SIZES = [
  [0, '   0.0 KiB'],
  [352, '   0.3 KiB'],
  [1024 * 1024, '   1.0 MiB'],
  [154_198_096, ' 147.1 MiB'],
] as const;

for (const [bytes, text] of SIZES) test(`${bytes} bytes are '${text}'`, () => assert.equal(humanSize(bytes), text));
