/**
 * Checks that what a local store calls valid is there, and is what it was when it was registered.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::verifyStore.
 */
import { lstat } from 'node:fs/promises';
import { asSluiceError, HashMismatchError, type SluiceError, StoreError } from '../errors.ts';
import { hashesEqual, printHash } from '../formats/hash.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { Slots } from './slots.ts';

export interface VerifyOptions {
  readonly store: LocalStore;
  /** By default all valid paths. */
  readonly paths?: readonly StorePath[] | undefined;
  /** Whether to read and hash every file, or only look whether each path is there. */
  readonly contents: boolean;
  readonly settings: Settings;
  readonly signal?: AbortSignal | undefined;
  /** Called after each path; `narBytes` counts what was hashed so far. */
  readonly onProgress?: ((progress: { done: number; expected: number; narBytes: number }) => void) | undefined;
  readonly onProblem?: ((problem: VerifyProblem) => void) | undefined;
}

export interface VerifyProblem {
  readonly path: StorePath;
  readonly problem: SluiceError;
}

export interface VerifyResult {
  readonly checked: number;
  readonly problems: readonly VerifyProblem[];
}

/** @throws the reason of `signal`. What is wrong with a path is a problem in the result. */
export async function verifyStore(options: VerifyOptions): Promise<VerifyResult> {
  const { store, contents, settings, signal } = options;
  const paths = options.paths ?? (await store.queryAllValidPaths());
  await using pool = new WorkerPool({ settings });
  const slots = new Slots(2 * pool.threads);
  const problems: VerifyProblem[] = [];
  let done = 0;
  let narBytes = 0;

  async function verify(path: StorePath): Promise<void> {
    using _slot = await slots.acquire(signal);
    try {
      const info = await store.queryPathInfo(path);
      await checkExists(store, path, info);
      if (contents) {
        const request = { realPath: store.realPath(path) };
        const { narHash, narSize } = await pool.run('hashPath', request, { signal });
        narBytes += narSize;
        checkContents(store, info!, narHash, narSize);
      }
    } catch (error) {
      signal?.throwIfAborted();
      const problem = { path, problem: asSluiceError(error) };
      problems.push(problem);
      options.onProblem?.(problem);
    }
    done++;
    options.onProgress?.({ done, expected: paths.length, narBytes });
  }

  await Promise.all(paths.map(verify));
  return { checked: paths.length, problems };
}

async function checkExists(store: LocalStore, path: StorePath, info: PathInfo | undefined): Promise<void> {
  const shown = printStorePath(store.storeDir, path);
  if (info === undefined) throw new StoreError(`path '${shown}' is not valid`);
  try {
    await lstat(store.realPath(path));
  } catch (cause) {
    throw new StoreError(`path '${shown}' is registered but cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function checkContents(store: LocalStore, info: PathInfo, narHash: PathInfo['narHash'], narSize: number): void {
  if (hashesEqual(info.narHash, narHash) && info.narSize === narSize) return;
  const shown = printStorePath(store.storeDir, info.path);
  throw new HashMismatchError(`path '${shown}'`, printHash(info.narHash, 'nix32'), printHash(narHash, 'nix32'));
}
