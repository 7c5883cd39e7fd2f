/**
 * What every store can do, whatever holds it: a directory with a database, a binary cache, memory.
 * Whatever only some can do is an interface of its own, asked for by a guard.
 *
 * Source: Nix 2.35 libstore/store-api.hh, cut down to what substitution needs.
 */
import type { SluiceError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StoreDir, StorePath } from '../formats/store-path.ts';

/**
 * Takes bytes. Where it returns a promise the source waits for it before it hands over more.
 * The chunk belongs to the source again as soon as the sink has returned (or its promise is fulfilled), so a sink that
 * keeps bytes copies them.
 */
export type Sink = (chunk: Uint8Array) => void | Promise<void>;

/** Pours one NAR into `sink` and is done when the last byte has been taken. */
export type NarSource = (sink: Sink) => Promise<void>;

export interface QueryOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether someone else can be asked: what fails for a passing reason is not tried again then, unless much of it
   * has come, and what hangs is given up after setting `connect-timeout`.
   */
  readonly impatient?: boolean | undefined;
  /** Called before each further attempt at a request, with the failure of the last one. */
  readonly onRetry?: ((error: SluiceError) => void) | undefined;
}

export interface InfoOptions extends QueryOptions {
  /** In seconds: that a path is missing is asked again where it has been remembered for longer. */
  readonly maxNegativeAge?: number | undefined;
  /** Called where the answer was remembered, and nobody had to be asked. */
  readonly onRemembered?: (() => void) | undefined;
}

export interface NarOptions extends QueryOptions {
  /** Whether the sink never returns a promise: the source need not keep its chunks then, which may save a copy. */
  readonly synchronous?: boolean | undefined;
  /** Called with the number of bytes that came over the wire, before decompression; each call adds to the last. */
  readonly onDownload?: ((bytes: number) => void) | undefined;
  /** A file name where a large file may be kept while it is downloaded, so that another process can go on with it. */
  readonly partial?: string | undefined;
}

export interface Store extends AsyncDisposable {
  /** The URI of this store without credentials: fit for messages. */
  readonly uri: string;
  /** The URI that opens this store again, in another thread for example: may hold credentials, and is never shown. */
  readonly openUri: string;
  readonly storeDir: StoreDir;
  /** Whether those who substitute from it take its paths without a signature. */
  readonly trusted?: boolean | undefined;

  /** What the store knows of a path; `undefined` where the path is not valid. */
  queryPathInfo(path: StorePath, options?: InfoOptions): Promise<PathInfo | undefined>;

  isValidPath(path: StorePath, options?: QueryOptions): Promise<boolean>;

  /**
   * Pours the NAR of a path into `sink`, as the store holds it: the receiver checks hash and size.
   *
   * @param info - as this store's own {@link Store.queryPathInfo} answered it.
   * @throws {InvalidPathError} where the path is not valid (any more).
   */
  narFromPath(info: PathInfo, sink: Sink, options?: NarOptions): Promise<void>;

  /**
   * Imports one store object and makes it valid. Nothing happens where it is valid already: `nar` is not called then.
   *
   * @param info - its references must be valid already.
   * @throws {HashMismatchError} when the bytes are not `info.narHash` and `info.narSize`; nothing is kept then.
   */
  addToStore(info: PathInfo, nar: NarSource, options?: QueryOptions): Promise<void>;
}
