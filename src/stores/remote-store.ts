/** Stores behind a protocol of Nix: what they can do that spares round trips. */
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { DaemonInfo } from '../formats/worker-protocol/handshake.ts';
import type { BuildStore } from './build-store.ts';
import type { NarSource, QueryOptions, Store } from './store.ts';

export interface ValidPathsOptions extends QueryOptions {
  /** Whether the other side first fetches what its own substituters have. */
  readonly substitute?: boolean | undefined;
}

export interface AddOptions extends QueryOptions {
  /** Whether the other side accepts only what is signed by a key that it trusts. It may insist on that. */
  readonly checkSigs?: boolean | undefined;
}

/** One store object on its way. */
export interface ObjectSource {
  readonly info: PathInfo;
  readonly nar: NarSource;
}

export interface RemoteStore extends BuildStore {
  /** Connects, where that is not done. @returns what the other side says of itself. */
  queryDaemon(options?: QueryOptions): Promise<DaemonInfo>;

  /** Those of `paths` that are valid there, in one round trip. */
  queryValidPaths(paths: readonly StorePath[], options?: ValidPathsOptions): Promise<Set<StorePath>>;

  /** What is known there of those of `paths` that are valid, in one round trip. */
  queryPathInfos(paths: readonly StorePath[], options?: QueryOptions): Promise<Map<StorePath, PathInfo>>;

  /**
   * Imports objects in this order, references first, and makes them valid. Where it throws, the first of them may be
   * valid, each with all that it refers to.
   *
   * @param objects - none of them valid already.
   * @throws {HashMismatchError} on a NAR that is not what its info says; {@link UntrustedError} where the other side
   *   wants a signature.
   */
  addMultipleToStore(objects: readonly ObjectSource[], options?: AddOptions): Promise<void>;
}

/** Whether a store is behind a protocol of Nix. */
export function isRemoteStore(store: Store): store is RemoteStore {
  return 'addMultipleToStore' in store;
}
