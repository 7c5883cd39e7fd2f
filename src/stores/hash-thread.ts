/**
 * A hash that a thread of its own computes, while this one goes on with what it hashes. It is worth its start for large
 * NARs, where a core is free.
 */
import { Worker } from 'node:worker_threads';
import { InternalError } from '../errors.ts';
import type { HashAlgorithm } from '../formats/hash.ts';
import { makeRing, RingWriter } from './byte-ring.ts';
import type { NarHasher } from './verify-nar.ts';

/** What the thread gets as its `workerData`; its only message is the digest. */
export interface HashTask {
  readonly algorithm: HashAlgorithm;
  /** Of the ring that it reads from. */
  readonly memory: SharedArrayBuffer;
}

/** It makes next to nothing. In MiB. */
const HEAP = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 };

/**
 * Starts the thread; what is hashed meanwhile waits for it.
 *
 * @param entry - what runs in it: workers/hash.ts.
 * @returns undefined where the system gives no thread: all else can go on without.
 */
export function openHashThread(entry: URL, algorithm: HashAlgorithm): HashThread | undefined {
  const memory = makeRing();
  const task: HashTask = { algorithm, memory };
  try {
    return new HashThread(new Worker(entry, { workerData: task, resourceLimits: HEAP }), memory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_INIT_FAILED') return undefined;
    throw error;
  }
}

/** Dispose it, wherever the hash has got to: the thread is gone then. */
export class HashThread implements NarHasher, AsyncDisposable {
  readonly #worker: Worker;
  readonly #ring: RingWriter;
  readonly #digest = Promise.withResolvers<Uint8Array>();
  #failure: InternalError | undefined;

  /** Use {@link openHashThread}. */
  constructor(worker: Worker, memory: SharedArrayBuffer) {
    this.#ring = new RingWriter(memory);
    this.#worker = worker;
    this.#worker.once('message', this.#digest.resolve);
    this.#worker.once('error', (cause) => this.#fail(`a thread that hashes has failed: ${cause.message}`, cause));
    this.#worker.once('exit', () => this.#fail('a thread that hashes has ended too early'));
    this.#digest.promise.catch(() => {}); // whoever asks for it hears of it
  }

  /**
   * Hands over what comes next.
   *
   * @throws {InternalError} where the thread has died.
   */
  update(chunk: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#ring.write(chunk);
  }

  /**
   * The hash of all.
   *
   * @throws {InternalError} where the thread has died.
   */
  digest(): Promise<Uint8Array> {
    this.#ring.end();
    return this.#digest.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ring.abandon();
    await this.#worker.terminate();
  }

  #fail(message: string, cause?: Error): void {
    this.#failure ??= new InternalError(message, { cause });
    this.#digest.reject(this.#failure);
  }
}
