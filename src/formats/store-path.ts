/**
 * Store paths: how they are spelled, and how they are computed from what they hold.
 * The store directory is always handed in; the store path itself is only the base name, `HASH-NAME`.
 *
 * Source: Nix 2.35 manual, "Store Path Specification"; libstore/path.cc, libstore/store-dir-config.cc.
 */
import { FormatError } from '../errors.ts';
import type { ContentAddress } from './content-address.ts';
import { type Hash, hashBytes, printHash } from './hash.ts';
import { encodeNix32, NIX32_ALPHABET } from './nix32.ts';
import { quote } from './quote.ts';

declare const storeDirBrand: unique symbol;
declare const storePathBrand: unique symbol;

/** A directory that holds store objects, absolute and canonical: `/nix/store`. */
export type StoreDir = string & { readonly [storeDirBrand]: true };

/** The base name of a store object: 32 nix32 digits, a dash, and a name. Never with the store directory. */
export type StorePath = string & { readonly [storePathBrand]: true };

/** What a store object refers to, seen before its own path is known. */
export interface OtherReferences {
  /** Paths other than its own, in any order. */
  readonly references: readonly StorePath[];
  /** Whether it refers to itself as well. */
  readonly self: boolean;
}

/** Where Nix keeps its store unless told otherwise: `/nix/store`. */
export const DEFAULT_STORE_DIR: StoreDir = parseStoreDir('/nix/store');

const HASH_DIGITS = 32;
const HASH_BYTES = 20;
const MAX_NAME_LENGTH = 211;
/** `.` and `..` must not be a name, nor stand before its first dash. */
const DOTS = /^\.\.?(?:-|$)/;
const NAME = /^[0-9A-Za-z+\-._?=]+$/;
/** All rules at once, for speed; {@link explainBaseName} goes through them one by one. */
const BASE_NAME = /^[0-9a-df-np-sv-z]{32}-(?!\.\.?(?:-|$))[0-9A-Za-z+\-._?=]{1,211}$/;

/**
 * Reads a store directory.
 *
 * @throws {FormatError} on a directory that is relative, is the root, holds a control character, or has another
 *   spelling (`//`, `.`, `..`, a slash at the end).
 */
export function parseStoreDir(text: string): StoreDir {
  if (!text.startsWith('/')) throw new FormatError('store directory', 0, `wanted an absolute path, got ${quote(text)}`);
  if (/\p{Cc}/u.test(text)) throw new FormatError('store directory', 0, `control character in ${quote(text)}`);
  if (!/^(?:\/(?!\.\.?(?:\/|$))[^/]+)+$/.test(text)) {
    throw new FormatError('store directory', 0, `wanted a canonical path such as '/nix/store', got ${quote(text)}`);
  }
  return text as StoreDir;
}

/**
 * Reads a full path, exactly one level below the store directory.
 *
 * @throws {FormatError} on a path elsewhere, and as {@link parseBaseName} does.
 */
export function parseStorePath(storeDir: StoreDir, text: string): StorePath {
  return parseBaseName(belowStoreDir(storeDir, text));
}

/**
 * Reads the full path of something in a store object, or of the object itself.
 *
 * @returns the store object, and the rest of the path from there: empty, or with the slash that it starts with.
 *   The rest is as given, `..` included.
 * @throws {FormatError} as {@link parseStorePath} does.
 */
export function parseWithin(storeDir: StoreDir, text: string): { readonly path: StorePath; readonly rest: string } {
  const below = belowStoreDir(storeDir, text);
  const slash = below.indexOf('/');
  const end = slash < 0 ? below.length : slash;
  return { path: parseBaseName(below.slice(0, end)), rest: below.slice(end) };
}

/**
 * Reads the base name of a store path, `HASH-NAME`.
 *
 * @throws {FormatError} on a hash part that is not 32 nix32 digits, no dash after it, or a name that
 *   {@link checkPathName} rejects.
 */
export function parseBaseName(text: string): StorePath {
  if (!BASE_NAME.test(text)) throw explainBaseName(text);
  return text as StorePath;
}

/** The full path: `/nix/store/HASH-NAME`. */
export function printStorePath(storeDir: StoreDir, path: StorePath): string {
  return `${storeDir}/${path}`;
}

/** The 32 nix32 digits that a store path starts with. */
export function hashPart(path: StorePath): string {
  return path.slice(0, HASH_DIGITS);
}

/** What a store path says after its hash part and the dash. */
export function pathName(path: StorePath): string {
  return path.slice(HASH_DIGITS + 1);
}

/**
 * Accepts the name of a store path: 1 to 211 letters, digits and `+-._?=`, whose part before the first dash is
 * neither `.` nor `..`.
 *
 * @throws {FormatError} on any other text.
 */
export function checkPathName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== undefined) throw new FormatError('store path name', 0, problem);
}

/**
 * The path of a store object of the given type: nix32 of the first 160 bits, folded, of
 * sha256(`TYPE:HASH:STOREDIR:NAME`).
 *
 * @param type - such as `source` or `output:out`; references are part of it.
 * @throws {FormatError} on a name that {@link checkPathName} rejects.
 */
export function makeStorePath(storeDir: StoreDir, type: string, hash: Hash, name: string): StorePath {
  checkPathName(name);
  const { digest } = hashBytes('sha256', `${type}:${printHash(hash, 'base16')}:${storeDir}:${name}`);
  const folded = new Uint8Array(HASH_BYTES);
  for (const [index, byte] of digest.entries()) folded[index % HASH_BYTES]! ^= byte;
  return `${encodeNix32(folded)}-${name}` as StorePath;
}

/** The path of a derivation's output; outputs other than `out` have their id in the name. */
export function makeOutputPath(storeDir: StoreDir, outputId: string, hash: Hash, name: string): StorePath {
  return makeStorePath(storeDir, `output:${outputId}`, hash, outputId === 'out' ? name : `${name}-${outputId}`);
}

/** The path of a text file with references, such as a derivation. */
export function makeTextPath(
  storeDir: StoreDir,
  name: string,
  hash: Hash,
  references: readonly StorePath[],
): StorePath {
  return makeStorePath(storeDir, typeWithReferences(storeDir, 'text', { references, self: false }), hash, name);
}

/**
 * The path of an object with a content address other than `text`.
 *
 * @throws {FormatError} on references where the content address allows none (all but `nar` with sha256), on `git`
 *   with an algorithm that Git has not, and on a name that {@link checkPathName} rejects.
 */
export function makeFixedOutputPath(
  storeDir: StoreDir,
  name: string,
  { method, hash }: ContentAddress,
  others: OtherReferences,
): StorePath {
  if (method === 'nar' && hash.algorithm === 'sha256') {
    return makeStorePath(storeDir, typeWithReferences(storeDir, 'source', others), hash, name);
  }
  if (others.self || others.references.length > 0) {
    throw new FormatError(
      'content address',
      0,
      `${method} with ${hash.algorithm} allows no references, in ${quote(name)}`,
    );
  }
  if (method === 'git' && hash.algorithm !== 'sha1' && hash.algorithm !== 'sha256') {
    throw new FormatError('content address', 0, `git wants sha1 or sha256, got ${hash.algorithm}, in ${quote(name)}`);
  }
  const prefix = method === 'nar' ? 'r:' : method === 'git' ? 'git:' : '';
  const inner = hashBytes('sha256', `fixed:out:${prefix}${printHash(hash, 'base16')}:`);
  return makeStorePath(storeDir, 'output:out', inner, name);
}

function typeWithReferences(storeDir: StoreDir, type: string, { references, self }: OtherReferences): string {
  const others = references.toSorted().map((path) => printStorePath(storeDir, path));
  return [type, ...others, ...(self ? ['self'] : [])].join(':');
}

function belowStoreDir(storeDir: StoreDir, text: string): string {
  if (!text.startsWith(storeDir) || text[storeDir.length] !== '/') {
    throw new FormatError('store path', 0, `${quote(text)} is not in the store directory '${storeDir}'`);
  }
  return text.slice(storeDir.length + 1);
}

function explainBaseName(text: string): FormatError {
  const broken = (offset: number, problem: string): FormatError =>
    new FormatError('store path', offset, `${problem}, in ${quote(text)}`);
  for (let offset = 0; offset < HASH_DIGITS; offset++) {
    const char = text[offset];
    if (char === undefined || char === '-') return broken(offset, `wanted ${HASH_DIGITS} digits, got ${offset}`);
    if (!NIX32_ALPHABET.includes(char)) return broken(offset, `${quote(char)} is not a nix32 digit`);
  }
  if (text[HASH_DIGITS] !== '-') return broken(HASH_DIGITS, 'no dash after the hash part');
  return broken(HASH_DIGITS + 1, nameProblem(text.slice(HASH_DIGITS + 1)) ?? 'unreachable');
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'the name is empty';
  if (name.length > MAX_NAME_LENGTH) return `the name has ${name.length} characters, the limit is ${MAX_NAME_LENGTH}`;
  if (DOTS.test(name)) return `the name ${quote(name)} starts with a component of dots`;
  if (!NAME.test(name)) return `the name ${quote(name)} has characters other than letters, digits and +-._?=`;
  return undefined;
}
