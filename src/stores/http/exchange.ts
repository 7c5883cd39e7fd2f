/**
 * One GET request and its response, straight from the connection into a codec: no stream, no buffer in between.
 * Redirects and statuses are somebody else's business: see get.ts.
 */
import type { Dispatcher } from 'undici';
import type { SluiceError } from '../../errors.ts';
import type { Codec } from '../compression.ts';
import type { NarOptions } from '../store.ts';
import type { HttpAgent } from './agent.ts';
import { describeFailure } from './failure.ts';
import type { WatchedRequest } from './watch.ts';

export interface HttpRequest extends NarOptions {
  readonly url: URL;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends the exchange where too little comes for too long. */
  readonly watched: WatchedRequest;
  /** How many bytes the answer is expected to have at most, where that is known. */
  readonly expectedSize?: number | undefined;
}

export interface HttpHead {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** How an exchange ended: with the whole response, or where the peer or the network let it down. */
export type Outcome =
  | { readonly state: 'answered'; readonly head: HttpHead }
  | { readonly state: 'broken'; readonly error: SluiceError };

/** Made once: an error costs a stack trace. */
const SUCCEEDED = { reason: new Error('unreachable: aborted after the end') };

/** How much of a body that nobody wants is read, so that its connection can be used again. */
const MAX_DISCARDED = 64 * 1024;

/**
 * Sends a GET request, and is done when the response has been taken to its last byte, or as far as it came.
 *
 * @param open - gives what takes the body; where it gives nothing, the body is discarded.
 * @throws what `open` and the codec throw, and the reason of the signal, as they are. Whatever it was, the connection
 *   is closed and the codec released.
 */
export function exchange(
  agent: Pick<HttpAgent, 'dispatch'>,
  request: HttpRequest,
  open: (head: HttpHead) => Codec | undefined,
): Promise<Outcome> {
  const { url, headers, signal, watched, expectedSize } = request;
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const abort = (): void => handler.fail(signal?.reason);
  const finish = (): void => {
    watched.finish();
    signal?.removeEventListener('abort', abort);
  };
  const handler = new ExchangeHandler(
    request,
    open,
    (outcome) => {
      finish();
      resolve(outcome);
    },
    (error) => {
      finish();
      reject(error);
    },
  );
  signal?.addEventListener('abort', abort, { once: true });
  watched.queue(url, (error) => handler.breakOff(error));
  if (!handler.isClosed) {
    const path = url.pathname + url.search;
    agent.dispatch({ origin: url.origin, path, method: 'GET', headers: { ...headers }, expectedSize }, handler);
  }
  return promise;
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #open: (head: HttpHead) => Codec | undefined;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #head: HttpHead | undefined;
  #codec: Codec | undefined;
  #discarded = 0;
  /** The step that is being taken, where it takes a promise. */
  #pending: Promise<void> | undefined;
  #ended = false;
  /** Set when the outcome is decided; what comes after that has no effect. */
  #closed: { readonly reason: Error } | undefined;

  constructor(
    request: HttpRequest,
    open: (head: HttpHead) => Codec | undefined,
    resolve: (outcome: Outcome) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#open = open;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Gives the exchange up. */
  fail(error: unknown): void {
    if (this.#closed !== undefined) return;
    this.#reject(error);
    this.#close(error instanceof Error ? error : new Error(String(error)));
  }

  /** Nothing more will come, or it is not waited for. */
  breakOff(error: SluiceError): void {
    if (this.#closed !== undefined) return;
    this.#resolve({ state: 'broken', error });
    this.#close(error);
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#closed !== undefined) controller.abort(this.#closed.reason);
    else this.#request.watched.start();
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: HttpHead['headers']): void {
    if (status < 200 || this.#closed !== undefined) return; // 1xx: the response itself is still to come
    this.#head = { status, headers };
    try {
      this.#codec = this.#open(this.#head);
    } catch (error) {
      this.fail(error);
    }
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Uint8Array): void {
    // After a pause undici hands out nothing, even where the next bytes are still to come.
    if (this.#closed !== undefined || chunk.length === 0) return;
    this.#request.watched.receive(chunk.length);
    if (this.#codec === undefined) {
      this.#discard(chunk.length);
      return;
    }
    this.#request.onDownload?.(chunk.length);
    // It lies in a buffer that other responses are read into as soon as this call has returned: see socket-reads.ts.
    const kept = this.#request.synchronous ? chunk : Buffer.from(chunk);
    this.#next(() => this.#codec?.push(kept));
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.#next(() => this.#codec?.finish());
    this.#next(() => this.#succeed());
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    // After what has come: it need not come again.
    this.#ended = true;
    this.#next(() => this.breakOff(describeFailure(error, this.#request.url)));
  }

  /**
   * Takes a step when the one before it has been taken. The peer is held back meanwhile, but the end of an HTTP/2
   * response comes all the same.
   */
  #next(step: () => void | Promise<void>): void {
    const take = (): void | Promise<void> => {
      if (this.#closed === undefined) return step();
    };
    try {
      const taken = this.#pending === undefined ? take() : this.#pending.then(take);
      if (taken instanceof Promise) this.#await(taken);
    } catch (error) {
      this.fail(error);
    }
  }

  #await(taken: Promise<void>): void {
    this.#pending = taken;
    this.#request.watched.phase = 'held';
    if (!this.#ended) this.#controller?.pause();
    const resume = (): void => {
      if (this.#pending !== taken) return;
      this.#pending = undefined;
      if (this.#closed !== undefined) return;
      this.#request.watched.phase = 'started';
      if (!this.#ended) this.#controller?.resume();
    };
    taken.then(resume, (error) => this.fail(error));
  }

  #discard(length: number): void {
    this.#discarded += length;
    if (this.#discarded <= MAX_DISCARDED) return;
    this.#succeed();
    this.#controller?.abort(new Error('the rest of the body is not wanted'));
  }

  #succeed(): void {
    if (this.#closed !== undefined) return;
    this.#request.watched.answer();
    this.#resolve({ state: 'answered', head: this.#head! });
    this.#codec?.[Symbol.dispose]();
    this.#closed = SUCCEEDED;
  }

  #close(reason: Error): void {
    this.#closed = { reason };
    this.#codec?.[Symbol.dispose]();
    this.#controller?.abort(reason);
  }
}
