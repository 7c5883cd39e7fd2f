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
import { loadVerify } from './libsodium.ts';

/** What speaks for a path: a trusted key, its name, the store it comes from, or nothing, where nothing has to. */
export type Voucher =
  | { readonly by: 'signature'; readonly key: string }
  | { readonly by: 'contentAddress' | 'store' | 'nothing' };

export class Trust {
  readonly #required: boolean;
  readonly #keys: ReadonlyMap<string, PublicKey>;

  /** @throws {FormatError} on a malformed key in `trusted-public-keys`. */
  constructor({ requireSigs, trustedPublicKeys }: Pick<Settings, 'requireSigs' | 'trustedPublicKeys'>) {
    this.#required = requireSigs;
    this.#keys = publicKeyMap(trustedPublicKeys);
  }

  /**
   * To be done before anything is downloaded, and before the references of `info` are followed.
   *
   * @throws {UntrustedError} where nothing vouches for `info`, naming the store `from` that gave it.
   */
  async check(storeDir: StoreDir, info: PathInfo, from: string): Promise<Voucher> {
    if (!this.#required) return { by: 'nothing' };
    if (provesItself(storeDir, info)) return { by: 'contentAddress' };
    const text = fingerprint(storeDir, info);
    for (const signature of info.signatures) {
      if (!(await verifySignature(text, signature, this.#keys, loadVerify()))) continue;
      return { by: 'signature', key: keyName(signature) };
    }
    throw this.#untrusted(storeDir, info, from);
  }

  /** Whether {@link Trust.check} may well accept `info`: for plans, which are not worth verifying a signature. */
  mayAccept(storeDir: StoreDir, info: PathInfo): boolean {
    if (!this.#required || provesItself(storeDir, info)) return true;
    return info.signatures.some((signature) => this.#keys.has(keyName(signature)));
  }

  #untrusted(storeDir: StoreDir, info: PathInfo, from: string): UntrustedError {
    const names = info.signatures.map(keyName);
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

function keyName(signature: string): string {
  return signature.split(':', 1)[0]!;
}

/** Whether the path's name follows from its contents; {@link verifyNar} checks that the contents do. */
function provesItself(storeDir: StoreDir, info: PathInfo): boolean {
  // A hash modulo itself, or of a Git tree, cannot be checked while the contents stream by.
  if (info.contentAddress?.method === 'git' || info.references.includes(info.path)) return false;
  return isContentAddressed(storeDir, info);
}
