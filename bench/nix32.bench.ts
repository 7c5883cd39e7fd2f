/** Spelling and reading hashes as narinfo files and store paths have them: 32 bytes in 52 digits, 20 bytes in 32. */
import assert from 'node:assert/strict';
import { Bench } from 'tinybench';
import { decodeNix32, encodeNix32 } from '../src/formats/nix32.ts';
import { bytes } from '../test/support/seeded.ts';

const COUNT = 1_000;

export const bench: Bench = new Bench({ name: `nix32, ${COUNT} hashes a round`, time: 250, warmupTime: 100 });

for (const size of [32, 20]) {
  const all = bytes(COUNT * size, { seed: size });
  const digests = Array.from({ length: COUNT }, (_, id) => all.slice(id * size, (id + 1) * size));
  const texts = digests.map((digest) => encodeNix32(digest));
  assert.deepEqual(texts.map(decodeNix32), digests); // never time a wrong answer
  bench
    .add(`encode ${size} bytes`, () => {
      for (const digest of digests) encodeNix32(digest);
    })
    .add(`decode ${size} bytes`, () => {
      for (const text of texts) decodeNix32(text);
    });
}
