/**
 * A large file over several connections at once, where that is faster: where each connection gets only so much, as with
 * many servers far away.
 *
 * It begins as one stream. Where that would take long, and the thread has time to spare, ranges are fetched beside it:
 * by two lanes, then four, then eight, as long as twice as many are faster by a fifth. Where two are not, or a range
 * cannot be had, the rest is one stream again, and the cache is left alone for some time.
 *
 * The ranges are handed on in order. Those that come too early wait in memory, 32 MiB at most; a killed process has
 * fetched them for nothing, so they are a small part of what has been handed on.
 */
import { TransferError } from '../../errors.ts';
import type { CacheTransport, StreamOptions } from '../cache-transport.ts';
import type { Sink } from '../store.ts';
import { RANGE_POLICY, type RangePolicy } from './range-policy.ts';
import { Segment } from './segment.ts';

export type RangedOptions = StreamOptions & { readonly size: number };

const MAX_LANES = 8;
/** A range is such a part of what has been handed on, and in bytes at least and at most: */
const SEGMENT_SHARE = 1 / 160;
const MIN_SEGMENT = 1024 * 1024;
const MAX_SEGMENT = 4 * 1024 * 1024;
/** What twice as many lanes have to be worth. */
const GAIN = 1.2;
/** Who is busier than this would not be faster with more to do. */
const MAX_BUSY = 0.7;
/** What is handed on before others have their turn, in bytes. */
const PIECE_SIZE = 256 * 1024;

/** Caches with which it did not pay, and until when they are left alone. */
const resting = new WeakMap<CacheTransport, number>();
/** One download a thread is divided: more would take as much memory each. */
let isTaken = false;

/** As {@link CacheTransport.streamFile}, of a file of known size from a transport that serves ranges. */
export async function downloadInRanges(
  transport: CacheTransport,
  name: string,
  sink: Sink,
  options: RangedOptions,
  policy: RangePolicy = RANGE_POLICY,
): Promise<void> {
  const download = new RangedDownload(transport, name, sink, options, policy);
  await Promise.all([download.run(), download.tune()]);
}

class RangedDownload {
  readonly #transport: CacheTransport;
  readonly #name: string;
  readonly #sink: Sink;
  readonly #options: RangedOptions;
  readonly #policy: RangePolicy;
  /** Aborted when there are to be no ranges any more: at the end at the latest. */
  readonly #undivided = new AbortController();
  /** Up to where the file has been handed on. */
  #position: number;
  /** How many bytes have come, handed on or not. */
  #received = 0;
  /** Where the stream stops, and the ranges begin. */
  #streamEnd: number;
  #isStreaming = false;
  /** Fulfilled when the stream has come to where the ranges begin. */
  readonly #streamed = Promise.withResolvers<void>();
  /** The ranges that have been asked for and not been handed on, in order. */
  #segments: Segment[] = [];
  /** From where no range has been asked for yet. */
  #next: number;
  /** How many requests there are to be at once. */
  #lanes = 1;

  constructor(transport: CacheTransport, name: string, sink: Sink, options: RangedOptions, policy: RangePolicy) {
    this.#transport = transport;
    this.#name = name;
    this.#sink = sink;
    this.#options = options;
    this.#policy = policy;
    this.#position = options.offset ?? 0;
    this.#streamEnd = options.size;
    this.#next = options.size;
  }

  async run(): Promise<void> {
    using resources = new DisposableStack();
    resources.defer(() => this.#undivided.abort());
    while (this.#position < this.#options.size) {
      if (this.#segments.length > 0) await this.#handOn(this.#segments[0]!);
      else await this.#stream();
    }
  }

  /** Finds out how many lanes are good; ends with the download at the latest. */
  async tune(): Promise<void> {
    try {
      const busy = this.#policy.busy();
      let rate = await this.#measure();
      if (isTaken || !this.#isWorthwhile(rate) || busy() > MAX_BUSY) return;
      isTaken = true;
      this.#undivided.signal.addEventListener('abort', () => {
        isTaken = false;
      });
      for (await this.#branch(rate); this.#lanes > 1; this.#lanes *= 2) {
        this.#fill();
        const faster = await this.#measure();
        if (faster < rate * GAIN) {
          this.#lanes /= 2;
          break;
        }
        if (this.#lanes === MAX_LANES) return;
        rate = faster;
      }
      if (this.#lanes === 1) this.#abandon();
    } catch (error) {
      if (!this.#undivided.signal.aborted) throw error;
    }
  }

  /** @returns bytes a millisecond. */
  async #measure(): Promise<number> {
    const { window, wait, now } = this.#policy;
    await wait(window, this.#undivided.signal);
    const [start, received] = [now(), this.#received];
    await wait(window, this.#undivided.signal);
    return (this.#received - received) / (now() - start);
  }

  #isWorthwhile(rate: number): boolean {
    const { now, worthwhile } = this.#policy;
    if ((resting.get(this.#transport) ?? 0) > now()) return false;
    return rate > 0 && (this.#options.size - this.#position) / rate > worthwhile;
  }

  /** Opens a second lane, from where the stream is to be by the time that its first byte has come. */
  async #branch(rate: number): Promise<void> {
    const start = Math.ceil(this.#position + rate * this.#policy.window);
    const segment = this.#ask(start);
    try {
      await segment.begun();
    } catch {
      return this.#abandon();
    }
    if (start <= this.#position) return this.#abandon(); // too late: the stream has been there
    this.#segments.push(segment);
    this.#streamEnd = start;
    this.#lanes = 2;
    await this.#streamed.promise; // until then the ranges have to wait, and their rate says nothing
  }

  /** One stream, from where the file has been handed on to where the ranges begin. */
  async #stream(): Promise<void> {
    const { size, signal } = this.#options;
    const stop = new AbortController();
    this.#streamEnd = size;
    const take: Sink = (chunk) => {
      const wanted = chunk.subarray(0, this.#streamEnd - this.#position);
      this.#received += wanted.length;
      this.#position += wanted.length;
      if (this.#position === this.#streamEnd && this.#position < size) stop.abort();
      return wanted.length > 0 ? this.#sink(wanted) : undefined;
    };
    const options = { ...this.#options, offset: this.#position, signal: anyOf(stop.signal, signal) };
    this.#isStreaming = true;
    await this.#transport.streamFile(this.#name, take, options).catch((error) => {
      if (!stop.signal.aborted) throw error;
    });
    this.#isStreaming = false;
    this.#streamed.resolve();
    this.#fill();
  }

  async #handOn(segment: Segment): Promise<void> {
    let piece: Uint8Array;
    try {
      piece = await segment.read(PIECE_SIZE);
    } catch {
      return this.#abandon(); // as a stream it gets all the attempts that it may have
    }
    this.#position += piece.length;
    if (this.#position === segment.end) this.#segments.shift();
    this.#fill();
    await this.#sink(piece);
    await new Promise(setImmediate);
  }

  /** Asks for ranges until there are as many requests as there are to be. */
  #fill(): void {
    if (this.#lanes === 1) return;
    while (this.#next < this.#options.size && this.#segments.length < MAX_LANES) {
      const requests = this.#segments.filter(({ isSettled }) => !isSettled).length + (this.#isStreaming ? 1 : 0);
      if (requests >= this.#lanes) return;
      this.#segments.push(this.#ask(this.#next));
    }
  }

  #ask(start: number): Segment {
    const { size, signal } = this.#options;
    const length = Math.min(Math.max(this.#position * SEGMENT_SHARE, MIN_SEGMENT), MAX_SEGMENT, size - start);
    const segment = new Segment(start, Math.floor(length));
    this.#next = segment.end;
    const take: Sink = (chunk) => {
      this.#received += chunk.length;
      segment.take(chunk);
    };
    const stop = anyOf(this.#undivided.signal, signal);
    const options = { ...this.#options, offset: start, length: segment.length, signal: stop, synchronous: true };
    this.#transport
      .streamFile(this.#name, take, options)
      .then(() => segment.fail(new TransferError('fewer bytes came than were asked for')))
      .catch((error) => segment.fail(error))
      .then(() => this.#fill());
    return segment;
  }

  /** The rest is one stream: the one that is under way, or another. */
  #abandon(): void {
    if (this.#undivided.signal.aborted) return;
    this.#undivided.abort();
    this.#segments = [];
    this.#lanes = 1;
    this.#streamEnd = this.#options.size;
    if (this.#options.signal?.aborted) return; // which says nothing of the cache
    resting.set(this.#transport, this.#policy.now() + this.#policy.rest);
  }
}

function anyOf(signal: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other === undefined ? signal : AbortSignal.any([signal, other]);
}
