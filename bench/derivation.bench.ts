/**
 * A graph of derivations as large as that of a desktop: reading its files' texts, printing them, and computing all hashes
 * and paths of outputs, as registration and the reading of a derivation do.
 */
import assert from 'node:assert/strict';
import { Bench } from 'tinybench';
import { type Derivation, type DraftDerivation, parseDerivation, printDerivation } from '../src/formats/derivation.ts';
import { checkOutputs, derivationPath, fillOutputs, hashDerivationModulo } from '../src/formats/derivation-hash.ts';
import type { Hash } from '../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, type StorePath } from '../src/formats/store-path.ts';

const COUNT = 5_000;
const INPUTS = 8;
const VARIABLES = 40;

interface Made {
  readonly path: StorePath;
  readonly derivation: Derivation;
  readonly bytes: Uint8Array;
}

const hashes = new Map<StorePath, Hash>();
const inputHash = (path: StorePath): Hash => hashes.get(path)!;
const made: Made[] = [];
for (let id = 0; id < COUNT; id++) {
  // Of those before it, near and far, as packages need each other.
  const inputs = Array.from(
    { length: Math.min(INPUTS, id) },
    (_, nth) => made[Math.floor(id * (1 - nth ** 2 / 64)) - 1],
  )
    .filter((each) => each !== undefined)
    .map(({ path }) => path);
  const env = Array.from({ length: VARIABLES }, (_, nth): [string, string] => [
    `variable${nth}`,
    nth % 8 === 0 ? `line of "${id}"\nand another\n` : `value ${nth} of ${id}`,
  ]);
  const draft: DraftDerivation = {
    name: `package-${id}-1.0`,
    outputs: new Map([
      ['dev', {}],
      ['out', {}],
    ]),
    inputDrvs: new Map([...new Set(inputs)].sort().map((path) => [path, ['out']])),
    inputSrcs: [],
    system: 'x86_64-linux',
    builder: '/bin/sh',
    args: ['-e', 'builder.sh'],
    env: new Map(env),
  };
  const derivation = fillOutputs(DEFAULT_STORE_DIR, draft, inputHash);
  const path = derivationPath(DEFAULT_STORE_DIR, derivation);
  hashes.set(path, hashDerivationModulo(DEFAULT_STORE_DIR, derivation, inputHash));
  made.push({ path, derivation, bytes: Buffer.from(printDerivation(DEFAULT_STORE_DIR, derivation)) });
}
const bytes = made.reduce((sum, each) => sum + each.bytes.length, 0);

// Never time a wrong answer.
for (const { derivation, bytes } of made) {
  assert.deepEqual(parseDerivation(DEFAULT_STORE_DIR, derivation.name, bytes), derivation);
}

export const bench: Bench = new Bench({
  name: `${COUNT} derivations of ${INPUTS} inputs and ${VARIABLES} variables, ${(bytes / 2 ** 20).toFixed(1)} MiB a round`,
  time: 1_000,
  warmupTime: 200,
})
  .add('parse', () => {
    for (const { derivation, bytes } of made) parseDerivation(DEFAULT_STORE_DIR, derivation.name, bytes);
  })
  .add('print', () => {
    for (const { derivation } of made) printDerivation(DEFAULT_STORE_DIR, derivation);
  })
  .add('hash', () => {
    for (const { derivation } of made) hashDerivationModulo(DEFAULT_STORE_DIR, derivation, inputHash);
  })
  .add('parse, hash and check', () => {
    for (const { path, derivation, bytes } of made) {
      const parsed = parseDerivation(DEFAULT_STORE_DIR, derivation.name, bytes);
      hashDerivationModulo(DEFAULT_STORE_DIR, parsed, inputHash);
      checkOutputs(DEFAULT_STORE_DIR, path, parsed, inputHash);
    }
  });
