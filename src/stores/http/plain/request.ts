/** A request of the plainest kind: GET, over a connection without TLS. */
import type { Dispatcher } from 'undici';

/** What a request is made of, as undici has it. */
export type DispatchOptions = Dispatcher.DispatchOptions & {
  /** How many bytes the answer is expected to have at most, where that is known. */
  readonly expectedSize?: number | undefined;
};

/** In bytes: for less than this it pays to send requests before the answers to others have come. */
const SMALL = 64 * 1024;
/** What a header may say without changing what a request is. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What carries requests. */
export interface Carrier {
  abandon(request: PlainRequest): void;
  resume(): void;
}

/** A request on its way, and what its handler controls it by. */
export class PlainRequest implements Dispatcher.DispatchController {
  readonly options: DispatchOptions;
  readonly handler: Dispatcher.DispatchHandler;
  /** What goes over the wire. */
  readonly text: string;
  readonly isSmall: boolean;
  carrier: Carrier | undefined;
  /** Whether another connection has carried it in vain. */
  hasMoved = false;
  /** Whether it was sent before the answer to another had come. */
  isAhead = false;
  /** Since when nothing but its answer can come next; in milliseconds. */
  since = 0;
  /** For how many milliseconds the thread had had nothing to do by then. */
  idleBefore = 0;
  aborted = false;
  paused = false;
  reason: Error | null = null;

  private constructor(options: DispatchOptions, handler: Dispatcher.DispatchHandler, text: string) {
    this.options = options;
    this.handler = handler;
    this.text = text;
    this.isSmall = options.expectedSize !== undefined && options.expectedSize <= SMALL;
  }

  /** @returns undefined where it is not of that kind, or has headers that no request may have. */
  static of(options: DispatchOptions, handler: Dispatcher.DispatchHandler): PlainRequest | undefined {
    const { method, body, origin, path, headers = {} } = options;
    if (method !== 'GET' || body != null || typeof origin !== 'string' || !origin.startsWith('http://'))
      return undefined;
    let text = `GET ${path} HTTP/1.1\r\nhost: ${origin.slice(7)}\r\nconnection: keep-alive\r\n`;
    for (const [name, value] of Object.entries(headers ?? {})) {
      if (typeof value !== 'string' || !VALUE.test(value)) return undefined;
      text += `${name}: ${value}\r\n`;
    }
    return new PlainRequest(options, handler, `${text}\r\n`);
  }

  /** Its answer comes next, from now on. Whoever had it aborted says so here. */
  begin(now: number, idle: number): void {
    this.since = now;
    this.idleBefore = idle;
    this.handler.onRequestStart?.(this, undefined);
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.carrier?.abandon(this);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.carrier?.resume();
  }
}
