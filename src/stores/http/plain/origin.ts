/**
 * The connections to one server, and which of them carries a request.
 *
 * Where answers are there as soon as they are asked for, what a request costs is system calls on both sides. So to a server
 * that is quick many small requests go over one connection at once, and each connection is written to once a turn of the
 * event loop. Whoever waits behind an answer that is late after all goes elsewhere. To any other server each request has
 * a connection for itself.
 */
import { type ConnectionOwner, type ConnectOptions, PlainConnection } from './connection.ts';
import type { PlainRequest } from './request.ts';

/**
 * An answer that begins within so many milliseconds is quick, and one for which this thread had nothing else to do for as
 * long is not. What is neither says little: it may have been there, and this thread too busy to look.
 */
const QUICK = 5;
/** After so many answers in a row that were not, neither is the server; of the first so many, a single one is enough. */
const PATIENCE = 16;
/** Requests that one connection carries at once, to a server that is quick. */
const DEPTH = 16;
/** Connections that are made before requests share them. */
const FEW = 4;
/** Who has waited behind another for so many milliseconds goes elsewhere. */
const LATE = 100;
/** After so many milliseconds a server may have lost a request that it was sent before it had answered another. */
const LOST = 1_000;

export interface OriginOptions extends ConnectOptions {
  /** Connections at once; may be infinite. */
  readonly limit: number;
  /** For so many milliseconds an idle connection is kept. */
  readonly keepAlive: number;
}

export class PlainOrigin implements ConnectionOwner {
  readonly #options: OriginOptions;
  readonly #leave: (requests: readonly PlainRequest[]) => void;
  readonly #connections = new Set<PlainConnection>();
  /** The one that was used last comes last. */
  readonly #idle: PlainConnection[] = [];
  /** Requests for which there is no connection yet. */
  #queue: PlainRequest[] = [];
  /** Connections to write to at the end of this turn. */
  #unsent: PlainConnection[] = [];
  /** The one that requests of this turn go to, where they share one. */
  #shared: PlainConnection | undefined;
  #answers = 0;
  /** Those that were not quick, since the last that was. */
  #slow = 0;
  #watch: NodeJS.Timeout | undefined;

  /** @param leave - takes requests to a server whose answers are not understood here. */
  constructor(options: OriginOptions, leave: (requests: readonly PlainRequest[]) => void) {
    this.#options = options;
    this.#leave = leave;
  }

  dispatch(request: PlainRequest): void {
    const connection = this.#choose(request);
    if (connection === undefined) this.#queue.push(request);
    else this.#send(connection, request);
  }

  destroy(error: Error): void {
    clearInterval(this.#watch);
    for (const request of this.#queue.splice(0)) request.handler.onResponseError?.(request, error);
    for (const connection of [...this.#connections]) connection.destroy(error);
  }

  answered(took: number, idle: number): void {
    this.#answers++;
    if (took < QUICK) [this.#slow, this.#answers] = [0, PATIENCE];
    else if (idle >= QUICK) this.#slow += this.#answers < PATIENCE ? PATIENCE : 1;
  }

  released(connection: PlainConnection): void {
    const isIdle = connection.load === 0 && connection.isGood;
    if (isIdle) this.#idle.push(connection);
    this.#serveQueue();
    if (isIdle && connection.load === 0) connection.rest(this.#options.keepAlive);
  }

  closed(connection: PlainConnection): void {
    this.#connections.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#shared === connection) this.#shared = undefined;
    if (this.#queue.length > 0) setImmediate(() => this.#serveQueue());
  }

  move(request: PlainRequest): void {
    this.dispatch(request);
  }

  leave(requests: readonly PlainRequest[]): void {
    this.#leave([...requests, ...this.#queue.splice(0)]);
  }

  get #isQuick(): boolean {
    return this.#answers >= PATIENCE && this.#slow < PATIENCE;
  }

  #choose(request: PlainRequest): PlainConnection | undefined {
    // What has failed once gets a connection that nobody else has used, where there may be one more.
    if (request.hasMoved) return this.#connect() ?? this.#idle.pop();
    if (this.#isQuick && request.isSmall) return this.#share();
    return this.#idle.pop() ?? this.#connect();
  }

  /** A connection that this request shares with others: one of few, so that a turn of the loop has few answers to take. */
  #share(): PlainConnection | undefined {
    const shared = this.#shared;
    if (shared?.isGood && shared.load < DEPTH && shared.isQuick) return shared;
    let busy = 0;
    let least: PlainConnection | undefined;
    for (const each of this.#connections) {
      if (each.load === 0) continue;
      busy++;
      if (each.isGood && each.load < (least?.load ?? DEPTH) && each.isQuick) least = each;
    }
    const another = busy < FEW ? (this.#idle.pop() ?? this.#connect()) : undefined;
    this.#shared = another ?? least;
    return this.#shared;
  }

  #connect(): PlainConnection | undefined {
    if (this.#connections.size >= this.#options.limit) return undefined;
    const connection = new PlainConnection(this.#options, this);
    this.#connections.add(connection);
    return connection;
  }

  #send(connection: PlainConnection, request: PlainRequest): void {
    if (this.#unsent.length === 0) setImmediate(() => this.#flush());
    this.#unsent.push(connection);
    connection.send(request);
    if (connection.load > 1) this.#watch ??= setInterval(() => this.#lookForLate(), LATE).unref();
  }

  #flush(): void {
    this.#shared = undefined;
    for (const connection of this.#unsent.splice(0)) connection.flush();
  }

  #serveQueue(): void {
    while (this.#queue.length > 0) {
      const connection = this.#choose(this.#queue[0]!);
      if (connection === undefined) return;
      this.#send(connection, this.#queue.shift()!);
    }
  }

  /** Where the event loop was busy answers may be there, and only not read yet. */
  #lookForLate(): void {
    setImmediate(() => {
      for (const connection of [...this.#connections]) connection.split(LATE, LOST);
      if ([...this.#connections].some(({ isShared }) => isShared)) return;
      clearInterval(this.#watch);
      this.#watch = undefined;
    });
  }
}
