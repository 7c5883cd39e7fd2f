/**
 * Content addresses: which bytes of a store object were hashed, and their hash. The store path follows from it.
 * Spelled `text:sha256:…`, `fixed:sha256:…` (flat), `fixed:r:sha256:…` (NAR), `fixed:git:sha1:…`.
 *
 * Source: Nix 2.35 manual, "Content-Addressing Store Objects"; libstore/content-address.cc.
 */
import { FormatError } from '../errors.ts';
import { HASH_ALGORITHMS, type Hash, parseDigest, printHash } from './hash.ts';
import { quote } from './quote.ts';
import { makeFixedOutputPath, makeTextPath, type StoreDir, type StorePath } from './store-path.ts';

/** How the bytes are taken, each with the text before the hash. */
const PREFIXES = { text: 'text:', flat: 'fixed:', nar: 'fixed:r:', git: 'fixed:git:' } as const;

/** Plain data: it survives structured clone. */
export interface ContentAddress {
  /** What is hashed: `text` and `flat` the bytes of one file, `nar` the NAR, `git` the Git object. */
  readonly method: keyof typeof PREFIXES;
  /** sha256 where the method is `text`. */
  readonly hash: Hash;
}

/** Spells a content address with its hash in nix32, as narinfo files and the database have it. */
export function printContentAddress({ method, hash }: ContentAddress): string {
  return PREFIXES[method] + printHash(hash, 'nix32');
}

/** What stands before the hash in a derivation: `sha256`, `r:sha256`, `text:sha256`, `git:sha1`. */
export function printContentAddressMethod({ method, hash }: ContentAddress): string {
  return PREFIXES[method].replace(/^fixed:/, '') + hash.algorithm;
}

/**
 * Reads a content address; its hash may be in any encoding but SRI.
 *
 * @throws {FormatError} on an unknown method or algorithm, a bad hash, or `text` with another algorithm than sha256.
 */
export function parseContentAddress(text: string): ContentAddress {
  const [, prefix, name, digits] = /^(text:|fixed:(?:r:|git:)?)([^:]*):([^:-]*)$/.exec(text) ?? [];
  const method = (Object.keys(PREFIXES) as (keyof typeof PREFIXES)[]).find((key) => PREFIXES[key] === prefix);
  const algorithm = HASH_ALGORITHMS.find((known) => known === name);
  if (method === undefined || digits === undefined) {
    throw new FormatError('content address', 0, `wanted 'text:…' or 'fixed:…' with a hash, got ${quote(text)}`);
  }
  if (algorithm === undefined) throw new FormatError('content address', 0, `unknown algorithm in ${quote(text)}`);
  if (method === 'text' && algorithm !== 'sha256') {
    throw new FormatError('content address', 0, `text wants sha256, got ${quote(text)}`);
  }
  return { method, hash: parseDigest(algorithm, digits) };
}

/**
 * The store path of an object with this content address.
 *
 * @param references - paths other than its own.
 * @param self - whether it refers to itself as well.
 * @throws {FormatError} on references that the content address does not allow, or a bad name.
 */
export function contentAddressedPath(
  storeDir: StoreDir,
  name: string,
  contentAddress: ContentAddress,
  references: readonly StorePath[],
  self = false,
): StorePath {
  if (contentAddress.method !== 'text') {
    return makeFixedOutputPath(storeDir, name, contentAddress, { references, self });
  }
  if (self) throw new FormatError('content address', 0, `text allows no reference to itself, in ${quote(name)}`);
  return makeTextPath(storeDir, name, contentAddress.hash, references);
}
