/**
 * Closures of valid paths, for the inputs of builds: thousands of builds have most of theirs in common, so what the
 * database says of a path is asked once and remembered for as long as goals are under way.
 */
import { InvalidPathError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { LocalStore } from '../stores/local-store.ts';

export type ClosureStore = Pick<LocalStore, 'queryPathInfos' | 'storeDir' | 'uri'>;

export class Closures {
  readonly #store: ClosureStore;
  readonly #known = new Map<StorePath, PathInfo>();

  constructor(store: ClosureStore) {
    this.#store = store;
  }

  /** A path that has become valid. */
  add(info: PathInfo): void {
    this.#known.set(info.path, info);
  }

  /** Forgets which paths are valid. */
  clear(): void {
    this.#known.clear();
  }

  /**
   * What is known of `paths` and of all that they refer to; references first.
   *
   * @throws {InvalidPathError} on a path that is not valid.
   */
  async query(paths: readonly StorePath[], signal: AbortSignal): Promise<readonly PathInfo[]> {
    await this.#learn(paths, signal);
    return inOrder(paths, this.#known);
  }

  /** Asks the database for what is not known yet of a closure, level by level. */
  async #learn(paths: readonly StorePath[], signal: AbortSignal): Promise<void> {
    const seen = new Set<StorePath>();
    for (let level = paths; level.length > 0; ) {
      const unknown = level.filter((path) => !this.#known.has(path));
      if (unknown.length > 0) {
        for (const info of (await this.#store.queryPathInfos(unknown, { signal })).values()) this.add(info);
      }
      const next: StorePath[] = [];
      for (const path of level) {
        for (const reference of this.#get(path).references) {
          if (seen.has(reference)) continue;
          seen.add(reference);
          next.push(reference);
        }
      }
      level = next;
    }
  }

  #get(path: StorePath): PathInfo {
    const info = this.#known.get(path);
    if (info === undefined) throw new InvalidPathError(printStorePath(this.#store.storeDir, path), this.#store.uri);
    return info;
  }
}

/** Depth first, without recursion: closures may be deep. */
function inOrder(paths: readonly StorePath[], known: ReadonlyMap<StorePath, PathInfo>): PathInfo[] {
  const ordered: PathInfo[] = [];
  const seen = new Set<StorePath>();
  const open: { readonly info: PathInfo; next: number }[] = [];
  const enter = (path: StorePath): void => {
    if (seen.has(path)) return;
    seen.add(path);
    open.push({ info: known.get(path)!, next: 0 });
  };
  for (const path of paths) {
    enter(path);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const reference = top.info.references[top.next++];
      if (reference !== undefined) enter(reference);
      else ordered.push(open.pop()!.info);
    }
  }
  return ordered;
}
