/**
 * Whether enough trusted keys speak for a path that is valid already.
 *
 * Source: Nix 2.35 nix/verify.cc.
 */
import { asSluiceError, FormatError, type SluiceError, UntrustedError } from '../errors.ts';
import { fingerprint, isContentAddressed, type PathInfo } from '../formats/path-info.ts';
import { type PublicKey, publicKeyMap, verifySignature } from '../formats/signature.ts';
import { printStorePath, type StoreDir } from '../formats/store-path.ts';
import { loadVerify } from '../stores/libsodium.ts';
import type { Store } from '../stores/store.ts';

export interface TrustOptions {
  /** The text of each key. */
  readonly trustedPublicKeys: readonly string[];
  /** How many different keys there must be; where it is zero, one is enough, and a path that was built here needs none. */
  readonly sigsNeeded: number;
  /** Stores whose signatures count, too. */
  readonly substituters?: readonly Store[];
  /** Called where one of these cannot be asked. */
  readonly onFailure?: ((error: SluiceError) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class TrustCheck {
  readonly #options: TrustOptions;
  readonly #keys: ReadonlyMap<string, PublicKey>;

  /** @throws {FormatError} on a malformed key. */
  constructor(options: TrustOptions) {
    this.#options = options;
    this.#keys = publicKeyMap(options.trustedPublicKeys);
  }

  /** @throws {UntrustedError} where too few keys speak for the path. */
  async check(storeDir: StoreDir, info: PathInfo): Promise<void> {
    const { sigsNeeded, substituters = [] } = this.#options;
    if ((info.ultimate && sigsNeeded === 0) || isContentAddressed(storeDir, info)) return;
    const needed = Math.max(1, sigsNeeded);
    const signers = await this.#signers(storeDir, info, info.signatures);
    for (const substituter of substituters) {
      if (signers.size >= needed) return;
      const theirs = await this.#ask(substituter, info);
      if (theirs === undefined) continue;
      if (isContentAddressed(storeDir, theirs)) return;
      for (const name of await this.#signers(storeDir, info, theirs.signatures)) signers.add(name);
    }
    if (signers.size >= needed) return;
    const counted =
      needed === 1 ? 'no trusted key has signed it' : `${signers.size} of ${needed} trusted keys signed it`;
    throw new UntrustedError(`path '${printStorePath(storeDir, info.path)}' is untrusted: ${counted}`);
  }

  async #ask(substituter: Store, { path }: PathInfo): Promise<PathInfo | undefined> {
    const { signal, onFailure } = this.#options;
    try {
      return await substituter.queryPathInfo(path, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      onFailure?.(asSluiceError(error));
      return undefined;
    }
  }

  /** The names of the trusted keys that have signed what is registered here. */
  async #signers(storeDir: StoreDir, info: PathInfo, signatures: readonly string[]): Promise<Set<string>> {
    const signers = new Set<string>();
    const text = fingerprintOf(storeDir, info);
    if (text === undefined) return signers;
    for (const signature of signatures) {
      if (await verifySignature(text, signature, this.#keys, loadVerify())) signers.add(signature.split(':', 1)[0]!);
    }
    return signers;
  }
}

/** Undefined where too little is known of a path for anybody to have signed it. */
function fingerprintOf(storeDir: StoreDir, info: PathInfo): string | undefined {
  try {
    return fingerprint(storeDir, info);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
