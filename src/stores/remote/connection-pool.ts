/** The connections of one store: opened when they are needed, used again when they are whole, never more than allowed. */
import { FormatError, TransferError } from '../../errors.ts';
import { Turns } from '../http/turns.ts';
import type { Connection, Patience } from './connection.ts';

/** A connection with what was agreed on it. */
export interface Peer {
  readonly connection: Connection;
}

export interface PoolOptions<P extends Peer> {
  /** Connections at once. */
  readonly limit: number;
  /** Connects, and says hello. */
  readonly open: (signal: AbortSignal | undefined) => Promise<P>;
}

export interface UseOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long the other side may take; for ever where it is missing. */
  readonly patience?: Patience | undefined;
}

export class ConnectionPool<P extends Peer> implements Disposable {
  readonly #open: PoolOptions<P>['open'];
  readonly #turns: Turns;
  readonly #idle: P[] = [];
  readonly #all = new Set<P>();
  #closed = false;

  constructor({ limit, open }: PoolOptions<P>) {
    this.#open = open;
    this.#turns = new Turns(limit);
  }

  /**
   * Calls `use` with a connection that is its own meanwhile. It is closed after that, unless an answer has been read to
   * its end.
   *
   * @throws what `use` throws, with what the other side has said beside the protocol; the reason of the signal.
   */
  async run<T>(use: (peer: P) => Promise<T>, { signal, patience }: UseOptions = {}): Promise<T> {
    using _turn = await this.#turns.take(signal);
    const peer = this.#takeIdle() ?? (await this.#connect(signal));
    const { connection } = peer;
    using after = new DisposableStack();
    after.defer(() => this.#giveBack(peer));
    after.use(connection.failOn(signal));
    if (patience !== undefined) after.use(connection.limit(patience));
    try {
      return await use(peer);
    } catch (error) {
      signal?.throwIfAborted();
      throw await withExplanation(error, connection);
    }
  }

  /** Closes all connections; who uses one gets an error. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const { connection } of this.#all) connection[Symbol.dispose]();
    this.#all.clear();
    this.#idle.length = 0;
  }

  async #connect(signal: AbortSignal | undefined): Promise<P> {
    const peer = await this.#open(signal);
    this.#all.add(peer);
    if (this.#closed) this[Symbol.dispose]();
    return peer;
  }

  #takeIdle(): P | undefined {
    for (let peer = this.#idle.pop(); peer !== undefined; peer = this.#idle.pop()) {
      if (peer.connection.isIdle) return peer;
      this.#close(peer); // the other side has gone meanwhile
    }
    return undefined;
  }

  #giveBack(peer: P): void {
    if (peer.connection.isIdle) this.#idle.push(peer);
    else this.#close(peer);
  }

  #close(peer: P): void {
    this.#all.delete(peer);
    peer.connection[Symbol.dispose]();
  }
}

/** The error with why the connection ended, where that is known. */
async function withExplanation(error: unknown, connection: Connection): Promise<unknown> {
  if (!(error instanceof TransferError || error instanceof FormatError)) return error;
  const why = await connection.explain();
  if (why === undefined) return error;
  return new TransferError(`${error.message}: ${why.message}`, { cause: error, transient: why.transient });
}
