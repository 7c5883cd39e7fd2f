/** Any valid value of each format, for round trips. */
import fc from 'fast-check';
import { compareText } from '../../src/formats/compare-text.ts';
import type { ContentAddress } from '../../src/formats/content-address.ts';
import type { Derivation, DerivationOutput } from '../../src/formats/derivation.ts';
import { HASH_ALGORITHMS, type Hash, type HashAlgorithm, hashBytes } from '../../src/formats/hash.ts';
import type { NarInfo } from '../../src/formats/narinfo.ts';
import { NIX32_ALPHABET } from '../../src/formats/nix32.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { parseBaseName, parseStoreDir, type StoreDir, type StorePath } from '../../src/formats/store-path.ts';

const NAME_CHARACTERS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-._?=';
const characters = (from: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...from), minLength, maxLength });
/** Records as parsers make them; fast-check would give some of them no prototype. */
const PLAIN = { noNullPrototype: true } as const;
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

export const anyStoreDir: fc.Arbitrary<StoreDir> = fc
  .array(characters(NAME_CHARACTERS, 1, 10), { minLength: 1, maxLength: 4 })
  .filter((names) => !names.includes('.') && !names.includes('..'))
  .map((names) => parseStoreDir(`/${names.join('/')}`));

export const anyName: fc.Arbitrary<string> = fc.oneof(
  characters(NAME_CHARACTERS, 1, 211).filter((name) => !/^\.\.?(-|$)/.test(name)),
  fc.constantFrom('.a', '...', '...-a', '.a-', '-', '?', 'x'.repeat(211)),
);

export const anyStorePath: fc.Arbitrary<StorePath> = fc
  .tuple(characters(NIX32_ALPHABET, 32, 32), anyName)
  .map(([hash, name]) => parseBaseName(`${hash}-${name}`));

/** Hashes of one algorithm. */
export function anyHashOf(algorithm: HashAlgorithm): fc.Arbitrary<Hash> {
  const size = hashBytes(algorithm, '').digest.length;
  return fc.uint8Array({ minLength: size, maxLength: size }).map((digest) => ({ algorithm, digest }));
}

export const anyHash: fc.Arbitrary<Hash> = fc.constantFrom(...HASH_ALGORITHMS).chain(anyHashOf);

export const anyContentAddress: fc.Arbitrary<ContentAddress> = fc.oneof(
  fc.record({ method: fc.constant('text' as const), hash: anyHashOf('sha256') }, PLAIN),
  fc.record({ method: fc.constantFrom('flat' as const, 'nar' as const, 'git' as const), hash: anyHash }, PLAIN),
);

const anySignature = fc
  .tuple(characters(NAME_CHARACTERS, 1, 20), fc.uint8Array({ minLength: 64, maxLength: 64 }))
  .map(([name, bytes]) => `${name}:${Buffer.from(bytes).toString('base64')}`);

const pathInfoFields = {
  path: anyStorePath,
  narHash: anyHashOf('sha256'),
  narSize: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  references: fc.uniqueArray(anyStorePath, { maxLength: 5 }).map((paths) => paths.sort()),
  deriver: maybe(anyStorePath),
  signatures: fc.array(anySignature, { maxLength: 3 }),
  contentAddress: maybe(anyContentAddress),
};

export const anyPathInfo: fc.Arbitrary<PathInfo> = fc.record(pathInfoFields, PLAIN);

export const anyNarInfo: fc.Arbitrary<NarInfo> = fc.record(
  {
    ...pathInfoFields,
    url: fc.string({ minLength: 1 }).filter((url) => !url.includes('\n')),
    compression: fc.constantFrom('none', 'xz', 'zstd', 'bzip2'),
    fileHash: maybe(anyHash),
    fileSize: maybe(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
  },
  PLAIN,
);

/** Text as an environment holds it: anything but NUL and half a surrogate pair. */
const anyText = fc
  .string({
    unit: fc.oneof(fc.constantFrom('"', '\\', '\n', '\r', '\t', '$'), fc.string({ unit: 'binary', maxLength: 1 })),
  })
  .map((text) => text.replaceAll('\0', '').toWellFormed());
const anyOutputName = fc.oneof(fc.constantFrom('out', 'dev', 'bin'), characters(NAME_CHARACTERS.slice(0, -5), 1, 8));
const anyOutput: fc.Arbitrary<DerivationOutput> = fc.oneof(
  fc.record({ path: anyStorePath }, PLAIN),
  fc.record({ path: anyStorePath, contentAddress: anyContentAddress }, PLAIN),
);
const sortedMap = <K extends string, V>(key: fc.Arbitrary<K>, value: fc.Arbitrary<V>): fc.Arbitrary<Map<K, V>> =>
  fc
    .uniqueArray(fc.tuple(key, value), { maxLength: 5, selector: ([each]) => each })
    .map((entries) => new Map(entries.sort(([a], [b]) => compareText(a, b))));
const sorted = <T extends string>(element: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.uniqueArray(element, { maxLength: 5 }).map((elements) => elements.sort(compareText));

/** Its paths are not those that it would have. */
export const anyDerivation: fc.Arbitrary<Derivation> = fc.record(
  {
    name: anyName,
    outputs: sortedMap(anyOutputName, anyOutput),
    inputDrvs: sortedMap(anyStorePath, sorted(anyOutputName)),
    inputSrcs: sorted(anyStorePath),
    system: anyName,
    builder: anyText,
    args: fc.array(anyText, { maxLength: 5 }),
    env: sortedMap(anyText, anyText),
  },
  PLAIN,
);
