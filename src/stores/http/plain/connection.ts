/**
 * One connection without TLS, over which requests are answered in their order: read as it comes, from one buffer straight
 * into those who take the bodies.
 *
 * Source: RFC 9112, 9.3.
 */
import { connect, type Socket } from 'node:net';
import { CONNECT_TIMEOUT } from '../failure.ts';
import { READ_BUFFER } from '../read-buffer.ts';
import { Chunks } from './chunks.ts';
import type { Carrier, PlainRequest } from './request.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';

/** In bytes; longer heads are left to who refuses them. */
const MAX_HEAD = 16 * 1024;
const HEAD_END = '\r\n\r\n';

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** In milliseconds; 0 for none. */
  readonly connectTimeout: number;
  /** After so many milliseconds without a byte TCP asks whether the peer is still there. */
  readonly probeAfter: number;
  /** Milliseconds from any beginning; never goes back. */
  readonly now?: (() => number) | undefined;
  /** For how many milliseconds this thread has had nothing to do, in all. */
  readonly idle?: (() => number) | undefined;
}

/** Who is told of a connection. */
export interface ConnectionOwner {
  /**
   * A response has begun.
   *
   * @param took - milliseconds since nothing else could come.
   * @param idle - for how many of them this thread had nothing to do: the rest may be its own fault.
   */
  answered(took: number, idle: number): void;
  /** A response has come to its end, and the connection is good for more requests. */
  released(connection: PlainConnection): void;
  /** The connection is gone. */
  closed(connection: PlainConnection): void;
  /** A request has not been answered, through no fault of its own. */
  move(request: PlainRequest): void;
  /** The server answers in a way that only others understand: nothing has been taken of these answers. */
  leave(requests: readonly PlainRequest[]): void;
}

export class PlainConnection implements Carrier {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #now: () => number;
  readonly #idle: () => number;
  /** In the order in which they will be answered. */
  readonly #requests: PlainRequest[] = [];
  /** What is to be sent at the end of the turn. */
  #output = '';
  /** What has come and has not been taken. */
  #rest: Uint8Array | undefined;
  /** Of the response that is coming. */
  #head: ResponseHead | undefined;
  /** Of its body, or of the chunk that is coming. */
  #left = 0;
  #chunks: Chunks | undefined;
  #hasAnswered = false;
  #isParsing = false;
  #isOpen = true;
  /** Whether it ends with the response that is coming. */
  #isLast = false;
  #error: Error | undefined;
  /** Ends it when it has been idle, or has tried to connect, for too long. */
  #timer: NodeJS.Timeout | undefined;

  constructor({ host, port, connectTimeout, probeAfter, now, idle }: ConnectOptions, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#now = now ?? (() => performance.now());
    this.#idle = idle ?? (() => performance.nodeTiming.idleTime);
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: probeAfter,
      onread: { buffer: READ_BUFFER, callback: (length, buffer) => this.#take(buffer.subarray(0, length)) },
    });
    this.#socket.resume(); // otherwise its end would go unnoticed
    this.#socket.on('connect', () => clearTimeout(this.#timer));
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    this.#socket.on('close', () => this.#end(this.#error));
    if (connectTimeout > 0) this.#timer = setTimeout(() => this.#close(noConnection()), connectTimeout).unref();
  }

  /** How many requests it carries. */
  get load(): number {
    return this.#requests.length;
  }

  /** Whether it may carry more. */
  get isGood(): boolean {
    return this.#isOpen && !this.#isLast;
  }

  /** Whether somebody's answer depends on how soon others are answered. */
  get isShared(): boolean {
    return this.#requests.length > 1 || this.#requests[0]?.isAhead === true;
  }

  /** Whether all that it carries are small. */
  get isQuick(): boolean {
    return this.#requests.every(({ isSmall }) => isSmall);
  }

  /** Takes a request; it is sent with {@link PlainConnection.flush}. */
  send(request: PlainRequest): void {
    if (this.#requests.length === 0 && this.#hasAnswered) {
      clearTimeout(this.#timer);
      this.#socket.ref();
    }
    request.carrier = this;
    this.#output += request.text;
    this.#requests.push(request);
    request.isAhead = this.#requests.length > 1;
    if (!request.isAhead) request.begin(this.#now(), this.#idle());
  }

  flush(): void {
    const output = this.#output;
    this.#output = '';
    if (this.#isOpen && output !== '') this.#socket.write(output, 'latin1');
  }

  /** Has nothing to do: ends in so many milliseconds. */
  rest(milliseconds: number): void {
    this.#socket.unref();
    this.#timer = setTimeout(() => this.#close(undefined), milliseconds).unref();
  }

  /**
   * Where the answer that is due has kept others waiting for `late` milliseconds, they go elsewhere; after `lost`
   * milliseconds so does who waits for it, as far as the server may have lost what it was sent too soon.
   */
  split(late: number, lost: number): void {
    const [first, ...others] = this.#requests;
    const waited = first === undefined ? 0 : this.#now() - first.since;
    if (waited >= lost && first!.isAhead && this.#head === undefined) {
      this.#close(undefined);
      return;
    }
    if (waited < late || others.length === 0) return;
    this.#isLast = true; // their answers are not wanted any more
    this.#requests.length = 1;
    for (const request of others) this.#move(request);
  }

  abandon(request: PlainRequest): void {
    if (this.#requests.includes(request)) this.#close(request.reason ?? undefined);
  }

  resume(): void {
    if (this.#isParsing || !this.#isOpen) return;
    if (this.#take(new Uint8Array(0))) this.#socket.resume();
  }

  destroy(error: Error): void {
    for (const request of this.#requests.splice(0)) request.handler.onResponseError?.(request, error);
    this.#close(error);
  }

  /** @returns whether more is to be read. */
  #take(chunk: Uint8Array): boolean {
    if (!this.#isOpen) return false;
    const bytes = this.#rest === undefined ? asBuffer(chunk) : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    this.#isParsing = true;
    const taken = this.#parse(bytes);
    this.#isParsing = false;
    if (!this.#isOpen) return false;
    if (taken < bytes.length) this.#rest = Buffer.from(bytes.subarray(taken)); // the buffer is everybody's
    return !this.#requests[0]?.paused;
  }

  /** @returns how many bytes are done with. */
  #parse(bytes: Buffer): number {
    let position = 0;
    while (this.#isOpen) {
      const request = this.#requests[0];
      if (request === undefined) {
        if (position < bytes.length) this.#close(undefined); // what nobody has asked for
        break;
      }
      if (request.paused) break;
      if (this.#head === undefined) {
        const end = bytes.indexOf(HEAD_END, position);
        if (end < 0 && bytes.length - position <= MAX_HEAD) break;
        if (!this.#begin(request, end < 0 ? undefined : parseResponseHead(bytes.toString('latin1', position, end))))
          break;
        position = end + HEAD_END.length;
      } else if (this.#left === 0) {
        const next = this.#findChunk(bytes, position);
        if (next === undefined) break;
        position = next;
        if (this.#left === 0) this.#finish(request);
      } else {
        const start = position;
        position = Math.min(bytes.length, start + this.#left);
        if (position === start) break;
        this.#left -= position - start;
        request.handler.onResponseData?.(request, bytes.subarray(start, position));
      }
    }
    return position;
  }

  #begin(request: PlainRequest, head: ResponseHead | undefined): boolean {
    if (head === undefined) {
      this.#release();
      this.#owner.leave(this.#requests.splice(0));
      return false;
    }
    this.#head = head;
    this.#left = head.length ?? 0;
    this.#chunks = head.length === undefined ? new Chunks() : undefined;
    this.#isLast ||= head.isLast;
    this.#owner.answered(this.#now() - request.since, this.#idle() - request.idleBefore);
    request.handler.onResponseStart?.(request, head.status, head.headers);
    return true;
  }

  /** @returns where the next piece of the body begins, or the body ends; undefined where more has to come to tell. */
  #findChunk(bytes: Buffer, position: number): number | undefined {
    if (this.#chunks === undefined || this.#chunks.isDone) return position;
    try {
      const next = this.#chunks.next(bytes, position);
      if (next !== undefined) this.#left = this.#chunks.size;
      return next;
    } catch (error) {
      this.#close(error as Error);
      return undefined;
    }
  }

  #finish(request: PlainRequest): void {
    this.#requests.shift();
    this.#head = undefined;
    this.#hasAnswered = true;
    request.carrier = undefined;
    if (this.#isLast) this.#close(undefined);
    else this.#requests[0]?.begin(this.#now(), this.#idle());
    request.handler.onResponseEnd?.(request, {});
    if (this.#isOpen) this.#owner.released(this);
  }

  /** The first of those that it carries gets the blame, if anybody does; the others go elsewhere. */
  #close(error: Error | undefined): void {
    if (!this.#isOpen) return;
    this.#release();
    // A server may close a connection that is idle while a request is on its way to it.
    const wasIdle = this.#hasAnswered && this.#head === undefined && this.#rest === undefined;
    const [first, ...others] = this.#requests.splice(0);
    if (first !== undefined && !first.aborted) {
      if (error === undefined || (wasIdle && !first.hasMoved)) this.#move(first);
      else first.handler.onResponseError?.(first, error);
    }
    for (const request of others) this.#move(request);
  }

  /** The server has nothing more to say: that may be how it says that a body is complete. */
  #end(error: Error | undefined): void {
    const request = this.#requests[0];
    if (error === undefined && request !== undefined && this.#left === Number.POSITIVE_INFINITY) this.#finish(request);
    else this.#close(error ?? new Error('the server closed the connection'));
  }

  #release(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#owner.closed(this);
  }

  #move(request: PlainRequest): void {
    request.carrier = undefined;
    request.hasMoved = true;
    if (!request.aborted) this.#owner.move(request);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function noConnection(): Error {
  return Object.assign(new Error('no connection'), { code: CONNECT_TIMEOUT });
}
