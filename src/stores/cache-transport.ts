/**
 * How a binary cache's files come and go, whatever they lie on: all that {@link BinaryCacheStore} knows of it.
 * A file is named relative to the cache, as in a narinfo's URL field: `nix-cache-info`, `nar/HASH.nar.xz`.
 */
import type { NarOptions, QueryOptions, Sink } from './store.ts';

export interface StreamOptions extends NarOptions {
  /** How many bytes at the beginning are not wanted: they are there already. */
  readonly offset?: number | undefined;
  /** How many bytes from there on are wanted, of a transport that {@link CacheTransport.servesRanges}. */
  readonly length?: number | undefined;
  /** Of the whole file in bytes, where it is known. */
  readonly size?: number | undefined;
}

export interface PutOptions extends QueryOptions {
  /** Whether a file that is there already under that name is as good. */
  readonly unlessExists?: boolean | undefined;
  /** Called with the number of bytes that went over the wire; each call adds to the last. */
  readonly onUpload?: ((bytes: number) => void) | undefined;
}

export interface CacheTransport extends AsyncDisposable {
  /** Where the cache is, without credentials: fit for messages. */
  readonly uri: string;
  /** Whether there may be no cache yet, which is no mistake: the first file that is put there makes one. */
  readonly mayBeNew: boolean;
  /** Whether its files lie on a disk of this machine: nothing is won by keeping them once more. */
  readonly isLocal?: boolean;
  /** Whether parts may be asked for that end before the file does: it fails where the server has no parts. */
  readonly servesRanges?: boolean;

  /**
   * Reads a small file.
   *
   * @param maxSize - in bytes; a larger one is an error, and not read to its end.
   * @returns undefined where there is no such file.
   * @throws {TransferError} where it cannot be told, or on a file that is too large.
   */
  getFile(name: string, maxSize: number, options?: QueryOptions): Promise<Uint8Array | undefined>;

  /**
   * Pours a file of any size into `sink`, and is done when the last byte has been taken. Errors of the sink pass as
   * they are.
   *
   * @throws {SubstituteGoneError} where there is no such file.
   * @throws {TransferError} where not all of it comes.
   */
  streamFile(name: string, sink: Sink, options?: StreamOptions): Promise<void>;
}

/** A transport that files can be put through. */
export interface WritableTransport extends CacheTransport {
  /**
   * Makes a file of what `pour` pours. Nobody ever sees a part of it: it appears when it is complete, in place of one
   * that had its name. Where `pour` throws there is no file.
   *
   * @param pour - answers the name, which may depend on what was poured.
   */
  putFile(pour: (sink: Sink) => Promise<string>, options?: PutOptions): Promise<void>;
}

export function isWritable(transport: CacheTransport): transport is WritableTransport {
  return 'putFile' in transport;
}
