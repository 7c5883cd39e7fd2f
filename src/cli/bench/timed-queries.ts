/** Questions for what a store knows of paths, each one timed. */
import { randomBytes } from 'node:crypto';
import { encodeNix32 } from '../../formats/nix32.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import { parseBaseName, type StorePath } from '../../formats/store-path.ts';
import { Slots } from '../../scheduler/slots.ts';
import type { Store } from '../../stores/store.ts';
import { clock, type QueryRecord } from './records.ts';

export interface TimedQueriesOptions {
  /** How many are under way at once. */
  readonly parallelism: number;
  readonly signal: AbortSignal;
  /** Called after each. */
  readonly onQuery?: ((queries: number) => void) | undefined;
}

export class TimedQueries {
  /** In the order in which they were answered. */
  readonly records: QueryRecord[] = [];
  readonly #store: Store;
  readonly #slots: Slots;
  readonly #options: TimedQueriesOptions;

  /** @param store - freshly opened: what a store remembers is no measurement. */
  constructor(store: Store, options: TimedQueriesOptions) {
    this.#store = store;
    this.#slots = new Slots(options.parallelism);
    this.#options = options;
  }

  /** Asks for one path that is not counted: it opens the first connection, and reads what a cache says of itself. */
  async warmUp(): Promise<void> {
    await this.#store.queryPathInfo(randomPath(), this.#options);
  }

  async query(path: StorePath): Promise<PathInfo | undefined> {
    const { signal, onQuery } = this.#options;
    using _slot = await this.#slots.acquire(signal);
    const started = clock();
    const info = await this.#store.queryPathInfo(path, { signal });
    this.records.push({ started, ended: clock(), found: info !== undefined });
    onQuery?.(this.records.length);
    return info;
  }

  /** What the store knows of `paths` and of all they refer to. What it does not have is left out. */
  async queryClosure(paths: readonly StorePath[]): Promise<Map<StorePath, PathInfo>> {
    const infos = new Map<StorePath, PathInfo>();
    const seen = new Set<StorePath>();
    const visit = async (path: StorePath): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const info = await this.query(path);
      if (info === undefined) return;
      infos.set(path, info);
      await Promise.all(info.references.map(visit));
    };
    await Promise.all(paths.map(visit));
    return infos;
  }
}

/** A path that no store has. */
export function randomPath(): StorePath {
  return parseBaseName(`${encodeNix32(randomBytes(20))}-sluice-bench`);
}
