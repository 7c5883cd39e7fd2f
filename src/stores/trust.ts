/**
 * Which path infos may be believed: those that a trusted key has signed, and content-addressed ones, whose name is the
 * proof of their contents.
 *
 * Source: Nix 2.35 libstore/store-api.cc, ValidPathInfo::checkSignatures; path-info.cc.
 */
import { UntrustedError } from '../errors.ts';
import { fingerprint, isContentAddressed, type PathInfo } from '../formats/path-info.ts';
import { type PublicKey, publicKeyMap, verifySignature } from '../formats/signature.ts';
import { printStorePath, type StoreDir } from '../formats/store-path.ts';
import type { Settings } from '../settings.ts';

export type TrustSettings = Pick<Settings, 'requireSigs' | 'trustedPublicKeys'>;

export class Trust {
  static readonly #known = new WeakMap<TrustSettings, Trust>();
  readonly #required: boolean;
  readonly #keys: ReadonlyMap<string, PublicKey>;

  /** @throws {FormatError} on a malformed key in `trusted-public-keys`. */
  constructor({ requireSigs, trustedPublicKeys }: TrustSettings) {
    this.#required = requireSigs;
    this.#keys = publicKeyMap(trustedPublicKeys);
  }

  /** As the constructor, but the keys are read once for one settings value. */
  static of(settings: TrustSettings): Trust {
    const known = Trust.#known.get(settings) ?? new Trust(settings);
    Trust.#known.set(settings, known);
    return known;
  }

  /**
   * Looks only whether somebody who counts claims to vouch for `info`: cheap, and enough to follow its references.
   *
   * @throws {UntrustedError} where nobody does, naming the store `from` that gave it.
   */
  checkClaim(storeDir: StoreDir, info: PathInfo, from: string): void {
    if (!this.#required || provesItself(storeDir, info)) return;
    if (!info.signatures.some((signature) => this.#keys.has(signer(signature)))) {
      throw this.#untrusted(storeDir, info, from);
    }
  }

  /**
   * Verifies the signatures. To be done before anything is downloaded.
   *
   * @throws {UntrustedError} where nothing vouches for `info`.
   */
  check(storeDir: StoreDir, info: PathInfo, from: string): void {
    if (!this.#required || provesItself(storeDir, info)) return;
    const text = fingerprint(storeDir, info);
    if (info.signatures.some((signature) => verifySignature(text, signature, this.#keys))) return;
    throw this.#untrusted(storeDir, info, from);
  }

  #untrusted(storeDir: StoreDir, info: PathInfo, from: string): UntrustedError {
    const names = info.signatures.map(signer);
    const known = names.filter((name) => this.#keys.has(name));
    const [problem, hint] =
      names.length === 0
        ? ['it has no signature', 'sign it in the cache, or accept it with --require-sigs false']
        : known.length === 0
          ? [`it is signed by ${names.join(', ')} only`, 'add the public key of one to --trusted-public-keys']
          : [`its signature by ${known.join(', ')} does not match`, 'the cache serves something else than was signed'];
    const path = printStorePath(storeDir, info.path);
    return new UntrustedError(`path '${path}' from '${from}' is not signed by a trusted key: ${problem}`, { hint });
  }
}

/** Whether the path's name follows from its contents; {@link verifyNar} checks that the contents do. */
function provesItself(storeDir: StoreDir, info: PathInfo): boolean {
  // A hash modulo itself, or of a Git tree, cannot be checked while the contents stream by.
  if (info.contentAddress?.method === 'git' || info.references.includes(info.path)) return false;
  return isContentAddressed(storeDir, info);
}

/** The name of the key that made a signature, as it claims. */
function signer(signature: string): string {
  return signature.slice(0, Math.max(0, signature.indexOf(':')));
}
