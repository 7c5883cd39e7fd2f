/**
 * One request that may have a body, and its small answer, over undici's dispatcher: for uploads, and for all else that is
 * no download. Statuses, redirects and further attempts are somebody else's business.
 */
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type SluiceError, TimedOutError } from '../../errors.ts';
import type { HttpAgent } from './agent.ts';
import { describeFailure, showUrl } from './failure.ts';
import type { Attempt } from './retry.ts';
import type { WatchedRequest } from './watch.ts';

export interface SendRequest {
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  /** By lower-case name; the length of the body is added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: SendBody | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Gives the request up where too little moves for too long, in either direction. */
  readonly watched?: WatchedRequest | undefined;
  /** Called with the number of bytes that were handed to the connection; each call adds to the last. */
  readonly onUpload?: ((bytes: number) => void) | undefined;
}

/** What is sent. It is read from its beginning, once for each request. */
export interface SendBody {
  /** In bytes. */
  readonly size: number;
  /** A part of it: `size` bytes, or what there is. It belongs to the caller, and stays as it is. */
  read(start: number, size: number): Uint8Array;
}

export interface SentResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As much of it as is ever wanted: the first 64 KiB. */
  readonly body: Uint8Array;
}

/** A body that is in memory. */
export function bytesBody(bytes: Uint8Array): SendBody {
  return { size: bytes.length, read: (start, size) => bytes.subarray(start, start + size) };
}

/** In bytes. */
const MAX_ANSWER = 64 * 1024;
/** In bytes: bodies are read and sent in such parts. */
const PART_SIZE = 64 * 1024;

/**
 * Sends a request, and reads the answer. That there is none is a failure, which may be transient; whatever was answered
 * is a success. Nothing is read of the body once the promise is settled.
 *
 * @throws the reason of the signal, and what reading the body throws.
 */
export async function send(agent: Pick<HttpAgent, 'dispatch'>, request: SendRequest): Promise<Attempt<SentResponse>> {
  const { method, url, headers, body, signal, watched } = request;
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Attempt<SentResponse>>();
  const handler = new SendHandler(request, resolve, reject);
  const abort = (): void => handler.fail(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  using cleanup = new DisposableStack();
  cleanup.defer(() => {
    watched?.finish();
    signal?.removeEventListener('abort', abort);
  });
  watched?.queue(url, (error) => handler.expire(error));
  const length = body === undefined ? {} : { 'content-length': String(body.size) };
  agent.dispatch(
    {
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: { ...headers, ...length },
      body: handler.body(),
      ...(method === 'HEAD' && { reset: false }), // otherwise undici ends the connection after it
    },
    handler,
  );
  return await promise;
}

class SendHandler implements Dispatcher.DispatchHandler {
  readonly #request: SendRequest;
  readonly #resolve: (outcome: Attempt<SentResponse>) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #head: Omit<SentResponse, 'body'> | undefined;
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** Set when the outcome is decided; what comes after that has no effect. */
  #closed: { readonly reason: Error } | undefined;

  constructor(
    request: SendRequest,
    resolve: (outcome: Attempt<SentResponse>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  body(): NonNullable<Dispatcher.DispatchOptions['body']> | null {
    const { body } = this.#request;
    if (body === undefined) return null;
    // Undici takes any iterable, though its types speak only of streams.
    return body.size === 0 ? Buffer.alloc(0) : (this.#parts(body) as unknown as Readable);
  }

  /** Gives the request up. */
  fail(error: unknown): void {
    if (this.#closed !== undefined) return;
    this.#reject(error);
    this.#close(error);
  }

  expire(error: TimedOutError): void {
    const { body, url } = this.#request;
    const told =
      body === undefined
        ? error
        : new TimedOutError(`cannot upload ${showUrl(url)}: ${error.message}`, { cause: error });
    this.#breakOff(told);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#closed !== undefined) controller.abort(this.#closed.reason);
    else this.#request.watched?.start();
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: SentResponse['headers']): void {
    if (status >= 200) this.#head = { status, headers };
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#request.watched?.receive(chunk.length);
    const wanted = chunk.subarray(0, MAX_ANSWER - this.#size);
    this.#size += wanted.length;
    // It lies in a buffer that other responses are read into: see socket-reads.ts.
    if (wanted.length > 0) this.#chunks.push(Buffer.from(wanted));
  }

  onResponseEnd(): void {
    if (this.#closed !== undefined) return;
    this.#request.watched?.answer();
    this.#resolve({ state: 'succeeded', value: { ...this.#head!, body: Buffer.concat(this.#chunks) } });
    this.#closed = { reason: new Error('unreachable: aborted after the end') };
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    const { url, body } = this.#request;
    this.#breakOff(describeFailure(error, url, body === undefined ? 'fetch' : 'upload'));
  }

  async *#parts(body: SendBody): AsyncGenerator<Uint8Array> {
    const { watched, onUpload } = this.#request;
    for (let start = 0; start < body.size && this.#closed === undefined; start += PART_SIZE) {
      const part = this.#read(body, start);
      yield part;
      watched?.receive(part.length);
      onUpload?.(part.length);
    }
  }

  #read(body: SendBody, start: number): Uint8Array {
    try {
      return body.read(start, PART_SIZE);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  #breakOff(error: SluiceError): void {
    if (this.#closed !== undefined) return;
    this.#resolve({ state: 'failed', error });
    this.#close(error);
  }

  #close(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    this.#closed = { reason };
    this.#controller?.abort(reason);
  }
}
