/** Substituters that answer when a test says so, and path infos for them. */
import type { SluiceError } from '../../src/errors.ts';
import { parseHash } from '../../src/formats/hash.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, parseBaseName, type StoreDir, type StorePath } from '../../src/formats/store-path.ts';
import type { InfoOptions, Store } from '../../src/stores/store.ts';
import { Substituter, type SubstituterOptions } from '../../src/substituters/substituter.ts';

export const NAMED = (name: string): StorePath => parseBaseName(`${'0'.repeat(32)}-${name}`);

export function infoOf(path: StorePath, references: readonly StorePath[] = []): PathInfo {
  const narHash = parseHash(`sha256:${'0'.repeat(64)}`);
  return { path, narHash, narSize: 120, references, signatures: [] };
}

/** A question that a store was asked. */
export interface Asked {
  readonly path: StorePath;
  readonly options: InfoOptions;
  has(references?: readonly StorePath[]): void;
  lacks(): void;
  fails(error: SluiceError): void;
}

/** A store whose answers are given by hand, or by a function. */
export class ScriptedStore implements Store {
  readonly uri: string;
  readonly openUri: string;
  readonly storeDir: StoreDir = DEFAULT_STORE_DIR;
  readonly asked: Asked[] = [];
  readonly #answer: ((asked: Asked) => void) | undefined;

  constructor(uri: string, answer?: (asked: Asked) => void) {
    this.uri = uri;
    this.openUri = uri;
    this.#answer = answer;
  }

  queryPathInfo(path: StorePath, options: InfoOptions = {}): Promise<PathInfo | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<PathInfo | undefined>();
    options.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true });
    const asked: Asked = {
      path,
      options,
      has: (references) => resolve(infoOf(path, references)),
      lacks: () => resolve(undefined),
      fails: reject,
    };
    this.asked.push(asked);
    this.#answer?.(asked);
    return promise;
  }

  async isValidPath(path: StorePath): Promise<boolean> {
    return (await this.queryPathInfo(path)) !== undefined;
  }

  narFromPath(): Promise<void> {
    return Promise.reject(new Error('unreachable: nobody asks for a NAR'));
  }

  addToStore(): Promise<void> {
    return Promise.reject(new Error('unreachable: nobody adds anything'));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** @param options - by default answers are waited for without end, over any number of connections. */
export function watched(store: Store, options: Partial<SubstituterOptions> = {}): Substituter {
  return new Substituter(store, { connectTimeout: 0, connections: 0, ...options });
}
