/** Signs path infos with the keys of setting `secret-key-files`, which are read when the first is signed. */
import { readFile } from 'node:fs/promises';
import { StoreError } from '../errors.ts';
import { fingerprint, type PathInfo } from '../formats/path-info.ts';
import { parseSecretKey, type SecretKey, sign } from '../formats/signature.ts';
import type { StoreDir } from '../formats/store-path.ts';

export class Signer {
  readonly #storeDir: StoreDir;
  readonly #files: readonly string[];
  #keys: Promise<readonly SecretKey[]> | undefined;

  constructor(storeDir: StoreDir, files: readonly string[]) {
    this.#storeDir = storeDir;
    this.#files = files;
  }

  /**
   * The info with a signature by each key.
   *
   * @throws {StoreError} on a key file that cannot be read; {@link FormatError} on one that holds no key.
   */
  async sign<T extends PathInfo>(info: T): Promise<T> {
    if (this.#files.length === 0) return info;
    this.#keys ??= Promise.all(this.#files.map(readSecretKey));
    const text = fingerprint(this.#storeDir, info);
    const added = await Promise.all((await this.#keys).map((key) => sign(key, text)));
    return { ...info, signatures: [...new Set([...info.signatures, ...added])] };
  }
}

async function readSecretKey(file: string): Promise<SecretKey> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new StoreError(`cannot read secret key file '${file}': ${cause.message}`, { cause });
  });
  return parseSecretKey(text);
}
