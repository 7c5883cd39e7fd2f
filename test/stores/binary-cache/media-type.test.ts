import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mediaType } from '../../../src/stores/binary-cache/media-type.ts';

/** As Nix 2.35 sends them. */
for (const [name, type] of [
  ['nix-cache-info', 'text/x-nix-cache-info'],
  [`${'0'.repeat(32)}.narinfo`, 'text/x-nix-narinfo'],
  ['nar/0.nar', 'application/x-nix-nar'],
  ['nar/0.nar.zst', 'application/x-nix-nar'],
  ['log/x.drv', 'application/octet-stream'],
] as const) {
  test(`the media type of ${name} is ${type}`, () => assert.equal(mediaType(name), type));
}
