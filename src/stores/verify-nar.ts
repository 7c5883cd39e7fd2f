/** The check that every NAR passes before it counts: its contents are those that its path info announced. */
import { createHash, type Hash as Hasher } from 'node:crypto';
import { FormatError, HashMismatchError } from '../errors.ts';
import type { ContentAddress } from '../formats/content-address.ts';
import { type Hash, hashesEqual, printHash } from '../formats/hash.ts';
import { NarParser, type NarVisitor } from '../formats/nar.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StoreDir } from '../formats/store-path.ts';
import type { NarSource } from './store.ts';

/** Computes the hash of a NAR from chunks that are the caller's again on return: one of node:crypto, or its like. */
export interface NarHasher {
  update(chunk: Uint8Array): unknown;
  /** Of all that came; called once. */
  digest(): Uint8Array | Promise<Uint8Array>;
}

/**
 * Passes the bytes of `nar` on and checks them against `info`: size, hash, and content address where there is one. A
 * NAR that goes on past `info.narSize` is cut off at once: the chunk that goes too far does not reach the sink.
 *
 * @param from - URI of the store that the NAR comes from, for messages.
 * @param hasher - a new one, by the algorithm of `info.narHash`; node:crypto's where none is given.
 * @returns a source that throws a {@link HashMismatchError} at its end when something differs.
 */
export function verifyNar(
  storeDir: StoreDir,
  info: PathInfo,
  nar: NarSource,
  from?: string,
  hasher: NarHasher = createHash(info.narHash.algorithm),
): NarSource {
  return async (sink) => {
    const what = `NAR of '${printStorePath(storeDir, info.path)}'${from === undefined ? '' : ` from '${from}'`}`;
    const contents = contentHasher(info);
    let size = 0;
    await nar((chunk) => {
      size += chunk.length;
      if (size > info.narSize) throw new HashMismatchError(what, `${info.narSize} bytes`, 'more');
      hasher.update(chunk);
      contents?.push(chunk);
      return sink(chunk);
    });
    if (size !== info.narSize) throw new HashMismatchError(what, `${info.narSize} bytes`, `${size} bytes`);
    compare(what, info.narHash, await hasher.digest());
    if (contents !== undefined) compare(`content address of ${what}`, info.contentAddress!.hash, contents.digest());
  };
}

function compare(what: string, wanted: Hash, digest: Uint8Array): void {
  const got = { algorithm: wanted.algorithm, digest };
  if (hashesEqual(wanted, got)) return;
  throw new HashMismatchError(what, printHash(wanted, 'nix32'), printHash(got, 'nix32'));
}

/** Takes a NAR and computes what a content address is about. */
interface ContentHasher {
  push(chunk: Uint8Array): void;
  digest(): Uint8Array;
}

/** `undefined` where there is nothing to check beyond the NAR's hash, or no way to do it while the bytes pass by. */
function contentHasher({ contentAddress, narHash, path, references }: PathInfo): ContentHasher | undefined {
  if (contentAddress === undefined) return undefined;
  switch (contentAddress.method) {
    case 'nar':
      return references.includes(path) ? undefined : narContentHasher(contentAddress, narHash);
    case 'flat':
    case 'text':
      return new FileHasher(contentAddress.hash);
    case 'git':
      return undefined;
  }
}

function narContentHasher({ hash }: ContentAddress, narHash: Hash): ContentHasher | undefined {
  if (hashesEqual(hash, narHash)) return undefined; // checked already
  const hasher = createHash(hash.algorithm);
  return { push: (chunk) => void hasher.update(chunk), digest: () => hasher.digest() };
}

/** Hashes the contents of the one file that a NAR holds. */
class FileHasher implements ContentHasher, NarVisitor {
  readonly #parser = new NarParser(this);
  readonly #hasher: Hasher;

  constructor({ algorithm }: Hash) {
    this.#hasher = createHash(algorithm);
  }

  push(chunk: Uint8Array): void {
    this.#parser.push(chunk);
  }

  digest(): Uint8Array {
    this.#parser.finish();
    return this.#hasher.digest();
  }

  contents(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
  }

  file(_name: string, executable: boolean): void {
    if (executable) throw notOneFile();
  }

  enterDirectory(): void {
    throw notOneFile();
  }

  symlink(): void {
    throw notOneFile();
  }

  leaveDirectory(): void {}
  endFile(): void {}
}

function notOneFile(): FormatError {
  return new FormatError('nar', 0, 'its content address is that of one plain file, and it is something else');
}
