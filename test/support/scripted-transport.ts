/** The transport of a binary cache whose answers a test gives by hand. */
import type { CacheTransport } from '../../src/stores/cache-transport.ts';
import type { QueryOptions } from '../../src/stores/store.ts';

export interface Request {
  readonly name: string;
  readonly options: QueryOptions;
  /** Undefined: there is no such file. */
  answer(text: string | undefined): void;
  fail(error: unknown): void;
}

export class ScriptedTransport implements CacheTransport {
  readonly uri = 'https://cache.example.org';
  readonly mayBeNew = false;
  /** What was asked for, in order. */
  readonly requests: Request[] = [];
  /** Answered without being asked for by hand. */
  readonly files: Map<string, string | undefined>;

  constructor(files: Readonly<Record<string, string | undefined>> = {}) {
    this.files = new Map(Object.entries(files));
  }

  get names(): string[] {
    return this.requests.map(({ name }) => name);
  }

  async getFile(name: string, _maxSize: number, options: QueryOptions = {}): Promise<Uint8Array | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    this.requests.push({ name, options, answer: resolve, fail: reject });
    if (this.files.has(name)) resolve(this.files.get(name));
    const text = await promise;
    return text === undefined ? undefined : Buffer.from(text);
  }

  streamFile(): Promise<void> {
    throw new Error('unreachable: only small files are asked for');
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
