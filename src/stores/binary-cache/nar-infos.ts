/** What a binary cache knows of paths: its narinfo files, each asked for once and then remembered. */
import { FormatError } from '../../errors.ts';
import { MAX_NARINFO_SIZE, type NarInfo, parseNarInfo } from '../../formats/narinfo.ts';
import { hashPart, printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import type { CacheTransport } from '../cache-transport.ts';
import { SharedRequests } from '../shared-requests.ts';
import type { InfoOptions } from '../store.ts';
import type { CacheInfo } from './cache-info.ts';

/** How many narinfos are remembered, as many as Nix's path-info-cache-size: about 100 MB when full. */
const MAX_KNOWN = 65_536;

export class NarInfos {
  readonly #transport: CacheTransport;
  readonly #storeDir: StoreDir;
  readonly #cacheInfo: CacheInfo;
  /** In the order in which they came. */
  readonly #known = new Map<StorePath, NarInfo>();
  readonly #queries = new SharedRequests<StorePath, NarInfo | undefined>();

  constructor(transport: CacheTransport, storeDir: StoreDir, cacheInfo: CacheInfo) {
    this.#transport = transport;
    this.#storeDir = storeDir;
    this.#cacheInfo = cacheInfo;
  }

  /** @returns undefined where the cache does not have the path. */
  async query(path: StorePath, { signal }: InfoOptions = {}): Promise<NarInfo | undefined> {
    return this.#known.get(path) ?? this.#queries.run(path, signal, (signal) => this.#fetch(path, signal));
  }

  remember(info: NarInfo): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(info.path, info);
  }

  /** What was said of the path has turned out to be wrong. */
  forget(path: StorePath): void {
    this.#known.delete(path);
  }

  async #fetch(path: StorePath, signal: AbortSignal): Promise<NarInfo | undefined> {
    const name = narInfoName(path);
    const [bytes] = await Promise.all([
      this.#transport.getFile(name, MAX_NARINFO_SIZE, { signal }),
      this.#cacheInfo.query(), // at the same time: it is not worth a round trip
    ]);
    if (bytes === undefined) return undefined;
    const info = this.#parse(name, bytes);
    if (info.path !== path) {
      const [wanted, got] = [path, info.path].map((each) => printStorePath(this.#storeDir, each));
      throw new FormatError(
        'narinfo',
        0,
        `${name} in '${this.#transport.uri}' is not for '${wanted}' but for '${got}'`,
      );
    }
    this.remember(info);
    return info;
  }

  #parse(name: string, bytes: Uint8Array): NarInfo {
    try {
      return parseNarInfo(this.#storeDir, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      const problem = cause.message.replace(/^invalid narinfo at byte \d+: /, '');
      throw new FormatError(`${name} in '${this.#transport.uri}'`, cause.offset, problem, { cause });
    }
  }
}

/** The file that says what a cache knows of a path. */
export function narInfoName(path: StorePath): string {
  return `${hashPart(path)}.narinfo`;
}
