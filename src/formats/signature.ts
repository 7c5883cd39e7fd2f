/**
 * Ed25519 keys and signatures, each spelled `NAME:BASE64`: what makes a path from elsewhere trusted.
 *
 * Source: Nix 2.35 libutil/signature/local-keys.cc.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type sodium from 'libsodium-wrappers';
import { FormatError } from '../errors.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { quote } from './quote.ts';

/** Verifies signatures that have its name. */
export interface PublicKey {
  readonly name: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** Signs. */
export interface SecretKey {
  readonly name: string;
  /** 64 bytes: the seed, and the public key. */
  readonly key: Uint8Array;
}

const SEED_SIZE = 32;
const PUBLIC_KEY_SIZE = 32;
const SECRET_KEY_SIZE = 64;
const SIGNATURE_SIZE = 64;

let loading: Promise<typeof sodium> | undefined;

/** libsodium, compiled at its first use: most commands do not sign. */
function loadSodium(): Promise<typeof sodium> {
  loading ??= import('libsodium-wrappers').then(async ({ default: library }) => {
    await library.ready;
    return library;
  });
  return loading;
}

/**
 * Reads a public key, as `trusted-public-keys` lists them.
 *
 * @param text - white space around it is ignored.
 * @throws {FormatError} unless the text is `NAME:BASE64` with 32 bytes.
 */
export function parsePublicKey(text: string): PublicKey {
  return parseKey('public key', PUBLIC_KEY_SIZE, text, `, in ${quote(text)}`);
}

/** Spells a public key, `NAME:BASE64`. */
export function printPublicKey(publicKey: PublicKey): string {
  return printNamed(publicKey.name, publicKey.key);
}

/**
 * Reads a secret key.
 *
 * @param text - what a key file holds; white space around it is ignored.
 * @throws {FormatError} unless the text is `NAME:BASE64` with 64 bytes. The error holds nothing of the text.
 */
export function parseSecretKey(text: string): SecretKey {
  return parseKey('secret key', SECRET_KEY_SIZE, text, '');
}

/** The text of a key file. */
export function printSecretKey(secretKey: SecretKey): string {
  return printNamed(secretKey.name, secretKey.key);
}

/** The key that verifies what `secretKey` signs; it has the same name. */
export function publicKeyOf({ name, key }: SecretKey): PublicKey {
  return { name, key: key.slice(SEED_SIZE) };
}

/**
 * Makes a key that signs.
 *
 * @param name - not empty, without colon or white space.
 * @param seed - 32 random bytes.
 */
export async function makeSecretKey(name: string, seed: Uint8Array): Promise<SecretKey> {
  if (!isKeyName(name)) throw new FormatError('key name', 0, `wanted one without ':' and spaces, got ${quote(name)}`);
  const { crypto_sign_seed_keypair } = await loadSodium();
  return { name, key: crypto_sign_seed_keypair(seed).privateKey };
}

/** Signs the UTF-8 of `text`; the signature is `NAME:BASE64`. */
export async function sign(secretKey: SecretKey, text: string): Promise<string> {
  const { crypto_sign_detached } = await loadSodium();
  return printNamed(secretKey.name, crypto_sign_detached(text, secretKey.key));
}

/** Whether the 64 bytes of a signature are one of `message` by `key`. */
export type VerifyDetached = (message: Uint8Array, signature: Uint8Array, key: PublicKey) => boolean | Promise<boolean>;

/**
 * Whether `signature` is one of `text` by one of `keys`. A malformed signature, or a name not in `keys`, is none.
 *
 * @param verify - does the work.
 */
export async function verifySignature(
  text: string,
  signature: string,
  keys: ReadonlyMap<string, PublicKey>,
  verify: VerifyDetached = verifyByOpenSsl,
): Promise<boolean> {
  const named = parseNamed(signature);
  const publicKey = named && keys.get(named.name);
  if (named?.bytes.length !== SIGNATURE_SIZE || publicKey === undefined) return false;
  return await verify(Buffer.from(text), named.bytes, publicKey);
}

/** The work (0.1 ms) is done in Node's thread pool: npm's libsodium would hold up the thread that asks for 0.3 ms. */
export function verifyByOpenSsl(message: Uint8Array, signature: Uint8Array, key: PublicKey): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  verify(null, message, keyObjectOf(key), signature, (error, valid) => (error ? reject(error) : resolve(valid)));
  return promise;
}

const keyObjects = new WeakMap<PublicKey, KeyObject>();

function keyObjectOf(publicKey: PublicKey): KeyObject {
  const known = keyObjects.get(publicKey);
  if (known !== undefined) return known;
  const x = Buffer.from(publicKey.key).toString('base64url');
  const made = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  keyObjects.set(publicKey, made);
  return made;
}

/**
 * Keys by their name, for {@link verifySignature}. Of two keys with one name the first counts, as in Nix.
 *
 * @throws {FormatError} as {@link parsePublicKey} does.
 */
export function publicKeyMap(texts: readonly string[]): ReadonlyMap<string, PublicKey> {
  return new Map(
    texts
      .map(parsePublicKey)
      .reverse()
      .map((publicKey) => [publicKey.name, publicKey]),
  );
}

function isKeyName(text: string): boolean {
  return /^[^:\s]+$/.test(text);
}

function printNamed(name: string, bytes: Uint8Array): string {
  return `${name}:${encodeBase64(bytes)}`;
}

/** Reads `NAME:BASE64`; undefined where the text is something else. */
function parseNamed(text: string): { readonly name: string; readonly bytes: Uint8Array } | undefined {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(colon, 0));
  const bytes = decodeBase64(text.slice(colon + 1));
  return isKeyName(name) && bytes !== undefined ? { name, bytes } : undefined;
}

function parseKey(
  kind: string,
  size: number,
  text: string,
  context: string,
): { readonly name: string; readonly key: Uint8Array } {
  const named = parseNamed(text.trim());
  if (named === undefined) throw new FormatError(kind, 0, `wanted NAME:BASE64${context}`);
  const { name, bytes } = named;
  if (bytes.length !== size) throw new FormatError(kind, 0, `wanted ${size} bytes, got ${bytes.length}${context}`);
  return { name, key: bytes };
}
