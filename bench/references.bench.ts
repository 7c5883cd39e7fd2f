/**
 * Scanning 16 MiB for references to 500 paths, in chunks of 64 KiB: bytes as programs and archives have them, a text,
 * and digits only, which is the worst there is. A reference to each path lies somewhere in them.
 */
import assert from 'node:assert/strict';
import { Bench } from 'tinybench';
import { hashBytes } from '../src/formats/hash.ts';
import { NIX32_ALPHABET } from '../src/formats/nix32.ts';
import { ReferenceScanner } from '../src/formats/reference-scanner.ts';
import { DEFAULT_STORE_DIR, makeStorePath, printStorePath } from '../src/formats/store-path.ts';
import { bytes } from '../test/support/seeded.ts';

const SIZE = 16 * 2 ** 20;
const CHUNK_SIZE = 64 * 1024;
const COUNT = 500;

const paths = Array.from({ length: COUNT }, (_, id) =>
  makeStorePath(DEFAULT_STORE_DIR, 'source', hashBytes('sha256', String(id)), `package-${id}`),
);
const sorted = paths.toSorted();
const noise = bytes(2 ** 20, { seed: 1 });

/** Pieces of words and punctuation, as in a source file. */
const WORDS = 'the quick() brown_fox = jumps.over(lazy, "dog"); return new Promise((resolve) => { // comment\n';

/** Repeats `pattern`, with a reference to each path in it. */
function fill(pattern: Uint8Array): Buffer {
  const filled = Buffer.alloc(SIZE, pattern);
  for (const [index, path] of paths.entries()) {
    filled.write(printStorePath(DEFAULT_STORE_DIR, path), 1000 + index * Math.floor(SIZE / COUNT - 7));
  }
  return filled;
}

const inputs = {
  bytes: fill(noise),
  text: fill(Buffer.from(WORDS)),
  digits: fill(noise.map((byte) => NIX32_ALPHABET.charCodeAt(byte & 31))),
};

function scan(input: Buffer): string[] {
  const scanner = new ReferenceScanner(paths);
  for (let at = 0; at < SIZE; at += CHUNK_SIZE) scanner.push(input.subarray(at, at + CHUNK_SIZE));
  return scanner.finish();
}

export const bench: Bench = new Bench({
  name: 'references to 500 paths in 16 MiB',
  iterations: 10,
  time: 300,
  warmupIterations: 2,
  warmupTime: 0,
});
for (const [name, input] of Object.entries(inputs)) {
  assert.deepEqual(scan(input), sorted); // never time a wrong answer
  bench.add(`scan ${name}`, () => void scan(input));
}
