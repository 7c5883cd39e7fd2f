/** The response to a request that goes through a proxy: what fails is told as the proxy's failure, or as one behind it. */
import type { Dispatcher } from 'undici';
import { TransferError } from '../../errors.ts';

/** Passes everything on. */
export class ThroughProxy implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #proxy: URL;

  /** @param proxy - may hold a password, which is not told. */
  constructor(handler: Dispatcher.DispatchHandler, proxy: URL) {
    this.#handler = handler;
    this.#proxy = proxy;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2],
    message?: string,
  ): void {
    this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(
    controller: Dispatcher.DispatchController,
    trailers: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>[1],
  ): void {
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#handler.onResponseError?.(controller, explain(error, this.#proxy));
  }
}

/** The proxy's URL without what is secret in it. */
function explain(cause: Error & { code?: string }, { protocol, host }: URL): Error {
  const proxy = `proxy '${protocol}//${host}'`;
  // Undici gives the status of a proxy that refuses in words only.
  const status = Number(/\b(?:Proxy response \(|Required \()(\d{3})\)/.exec(cause.message)?.[1] ?? 0);
  if (status === 0) {
    const error = new Error(`through ${proxy}: ${cause.message || cause.code}`, { cause });
    return Object.assign(error, { code: cause.code });
  }
  const hint =
    status === 401 || status === 407
      ? { hint: 'write user name and password into the variable: http://USER:PASSWORD@HOST' }
      : {};
  const transient = status === 408 || status === 429 || status >= 500;
  return new TransferError(`${proxy} answered with status ${status}`, { status, transient, cause, ...hint });
}
