/**
 * Notices transfers that bring too little for too long. One timer serves all requests of a transport, and there is none
 * while there are no requests. It counts its own ticks and reads no clock: while a thread is busy, or the machine
 * asleep, nothing could have come, and no time passes here.
 */
import { TimedOutError } from '../../errors.ts';
import { showUrl } from './failure.ts';
import { BUCKETS, SlidingSum } from './sliding-sum.ts';

/** How much has to come. */
export interface Floor {
  /** For how long too little may come; 0 for ever. */
  readonly seconds: number;
  readonly bytesPerSecond: number;
  /** Whether the whole answer has to come in that time, however much of it has come. */
  readonly whole?: boolean | undefined;
  /** Whether that is so over all attempts at a request, with the time between them. */
  readonly acrossAttempts?: boolean | undefined;
  /** The setting that says for how long. */
  readonly setting: string;
}

/** A whole answer counts as so many bytes, for it may have none: more than any floor asks for. */
const ANSWER = 2 ** 30;
/** In milliseconds. */
const SHORTEST_TICK = 5;
const LONGEST_TICK = 1_000;

export class TransferWatch implements Disposable {
  /** In milliseconds. */
  readonly #tick: number;
  readonly #watched = new Set<WatchedRequest>();
  /** What requests brought that have ended since the last tick. */
  #ended = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param seconds - those that floors will have. */
  constructor(seconds: readonly number[]) {
    const shortest = Math.min(...seconds.filter((each) => each > 0));
    this.#tick = Math.min(LONGEST_TICK, Math.max(SHORTEST_TICK, (shortest * 1000) / BUCKETS));
  }

  /** Watches a request until it is disposed of. */
  watch(floor: Floor): WatchedRequest {
    const request = new WatchedRequest(floor, this.#tick, () => {
      this.#watched.delete(request);
      this.#ended += request.takeReceived();
    });
    if (floor.seconds > 0) {
      this.#watched.add(request);
      this.#timer ??= setInterval(() => this.#check(), this.#tick).unref();
    }
    return request;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    if (this.#watched.size === 0) this[Symbol.dispose]();
    let held = false;
    let total = this.#ended;
    this.#ended = 0;
    const counted = Array.from(this.#watched, (request) => {
      const received = request.takeReceived();
      held ||= request.phase === 'held';
      total += received;
      return [request, received] as const;
    });
    for (const [request, received] of counted) {
      // Who waits for a connection waits for the others: it is theirs that counts.
      if (request.phase === 'started') request.count(received);
      else if (request.phase === 'queued' && !held) request.count(total);
    }
  }
}

/**
 * Where a request stands: between attempts; waiting for a connection; waiting for what the peer sends; or holding the
 * peer back, because what has come is still being worked on.
 */
type Phase = 'idle' | 'queued' | 'started' | 'held';

export class WatchedRequest implements Disposable {
  phase: Phase = 'idle';
  /** Since the last tick. */
  #received = 0;
  readonly #floor: Floor;
  readonly #end: () => void;
  /** In milliseconds. */
  readonly #tick: number;
  #url: URL | undefined;
  #onExpire: ((error: TimedOutError) => void) | undefined;
  /** Missing until the first tick: most requests take no longer. */
  #recent: SlidingSum | undefined;
  #hasStarted = false;
  #expired = false;

  /** Use {@link TransferWatch.watch}. */
  constructor(floor: Floor, tick: number, end: () => void) {
    this.#floor = floor;
    this.#end = end;
    this.#tick = tick;
  }

  /** An attempt begins. */
  attempt(): void {
    this.#hasStarted = false;
    if (!this.#floor.acrossAttempts) this.#restart();
  }

  /**
   * The request is handed to the dispatcher.
   *
   * @param onExpire - ends it, at once where the time ran out between two attempts.
   */
  queue(url: URL, onExpire: (error: TimedOutError) => void): void {
    this.#url = url;
    this.#onExpire = onExpire;
    this.phase = 'queued';
    if (this.#expired) this.#expire();
  }

  /** The request has a connection. */
  start(): void {
    // Time for the whole answer begins now, unless nothing at all has moved while it waited.
    if (this.#floor.whole && !this.#hasStarted && this.#recent?.isEmpty === false) this.#restart();
    this.#hasStarted = true;
    this.phase = 'started';
  }

  /** Bytes have come. */
  receive(bytes: number): void {
    this.#received += bytes;
  }

  /** A response has come to its end: those who wait for its connection will have it. */
  answer(): void {
    this.#received += ANSWER;
  }

  /** The request is over, be it for this attempt. */
  finish(): void {
    this.#onExpire = undefined;
    this.phase = this.#floor.acrossAttempts ? 'started' : 'idle';
  }

  /** What has come since this was asked last. */
  takeReceived(): number {
    const received = this.#received;
    this.#received = 0;
    return received;
  }

  /** A tick has passed, and this is what it brought. */
  count(received: number): void {
    const { seconds, bytesPerSecond, whole } = this.#floor;
    this.#recent ??= new SlidingSum(Math.max(1, Math.round((seconds * 1000) / BUCKETS / this.#tick)));
    if (!this.#recent.add(received)) return;
    if ((whole && this.phase === 'started') || this.#recent.sum < seconds * bytesPerSecond) this.#expire();
  }

  [Symbol.dispose](): void {
    this.#onExpire = undefined;
    this.#end();
  }

  #restart(): void {
    this.#expired = false;
    this.#recent = undefined;
  }

  #expire(): void {
    this.#expired = true;
    if (this.#onExpire === undefined) return;
    const { seconds, bytesPerSecond, whole, setting } = this.#floor;
    const what = !this.#recent?.sum
      ? `nothing came from ${showUrl(this.#url!)}`
      : whole && this.phase === 'started'
        ? `no whole answer came from ${showUrl(this.#url!)}`
        : `less than ${bytesPerSecond} bytes a second came from ${showUrl(this.#url!)}`;
    this.#onExpire(new TimedOutError(`${what} for ${seconds} s (setting '${setting}')`));
  }
}
