/**
 * Bytes on their way from one thread to another through memory that both see, in order and without an event loop: each
 * side blocks where it has to wait for the other. So the reader is a thread that does nothing else, and the writer one
 * that hardly ever waits.
 */
import { InternalError } from '../errors.ts';

/** In bytes; a power of two, so that places can be counted in 32 bits that overflow. Small enough to stay in a core's cache. */
const CAPACITY = 1024 * 1024;
/** So much is read at once, at most: as little as leaves the writer room, as much as makes waking it rare. */
const PIECE_SIZE = CAPACITY / 4;
/** A reader that waits is woken for so much, since waking it costs both sides some microseconds. */
const WORTH_WAKING = CAPACITY / 2;

/** The words in front of the bytes, each in a cache line of its own. */
const WRITTEN = 0;
const TAKEN = 16;
const STATE = 32;
/** Counts what the reader is woken for: whoever waits for this word to change cannot miss it. */
const BELL = 48;
const WORDS = 64;

/** All has been written; a state of 0 says that more is to come. */
const ENDED = 1;
/** The writer has given up: what is in the ring is of no use. */
const ABANDONED = 2;
/** The reader has given up. */
const BROKEN = 3;

/** How long a writer waits for room before it looks again, in milliseconds. */
const PATIENCE = 100;
/** It looks so often while nothing is taken; then the reader counts as dead. */
const MAX_LOOKS = 300;

/** Memory for a ring, for both ends. */
export function makeRing(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4 + CAPACITY);
}

/** The end that bytes go in at. */
export class RingWriter {
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #patience: number;
  #written: number;
  /** What had been written when the reader was woken last. */
  #told: number;

  /**
   * @param memory - of {@link makeRing}.
   * @param patience - a reader that takes nothing for so many milliseconds counts as dead.
   */
  constructor(memory: SharedArrayBuffer, patience: number = PATIENCE * MAX_LOOKS) {
    this.#words = new Int32Array(memory, 0, WORDS);
    this.#bytes = Buffer.from(memory, WORDS * 4);
    this.#patience = patience;
    this.#written = Atomics.load(this.#words, WRITTEN);
    this.#told = this.#written;
  }

  /**
   * Copies bytes into the ring, and waits where there is no room.
   *
   * @throws {InternalError} where the reader has given up, or takes nothing any more.
   */
  write(chunk: Uint8Array): void {
    for (let start = 0; start < chunk.length; ) {
      const place = this.#written & (CAPACITY - 1);
      const size = Math.min(chunk.length - start, this.#room(), CAPACITY - place);
      // One memcpy(3): `set` copies to shared memory word by word, or byte by byte, which takes three to twenty times as long.
      this.#bytes.fill(chunk.subarray(start, start + size), place, place + size);
      start += size;
      this.#written = (this.#written + size) | 0;
      Atomics.store(this.#words, WRITTEN, this.#written);
      if (((this.#written - this.#told) | 0) >= WORTH_WAKING) this.#wake();
    }
  }

  /** Nothing follows. */
  end(): void {
    this.#leave(ENDED);
  }

  /** Lets the reader go, wherever it is. After {@link RingWriter.end} that changes nothing for who has read all. */
  abandon(): void {
    this.#leave(ABANDONED);
  }

  #leave(state: number): void {
    Atomics.store(this.#words, STATE, state);
    this.#wake();
  }

  #wake(): void {
    this.#told = this.#written;
    Atomics.add(this.#words, BELL, 1);
    Atomics.notify(this.#words, BELL);
  }

  /** How many bytes there is room for; not before there is some. */
  #room(): number {
    for (let looks = 0; ; looks++) {
      if (Atomics.load(this.#words, STATE) === BROKEN) throw new InternalError('who reads from a ring has given up');
      const taken = Atomics.load(this.#words, TAKEN);
      const room = CAPACITY - ((this.#written - taken) | 0);
      if (room > 0) return room;
      if (looks * PATIENCE > this.#patience) {
        throw new InternalError(`who reads from a ring has taken nothing for ${this.#patience} ms`);
      }
      Atomics.wait(this.#words, TAKEN, taken, PATIENCE);
    }
  }
}

/** The end that bytes come out at, in a thread that has nothing else to do. */
export class RingReader {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, WORDS);
    this.#bytes = new Uint8Array(memory, WORDS * 4);
  }

  /**
   * Hands over all bytes in order, and blocks until the last of them.
   *
   * @param take - a chunk is overwritten when it returns.
   * @returns whether the writer came to its end: false where it has given up.
   */
  read(take: (bytes: Uint8Array) => void): boolean {
    for (let taken = Atomics.load(this.#words, TAKEN); ; ) {
      // In this order: what is written before the state or the bell changes is seen after.
      const bell = Atomics.load(this.#words, BELL);
      const state = Atomics.load(this.#words, STATE);
      const size = (Atomics.load(this.#words, WRITTEN) - taken) | 0;
      if (state === ABANDONED) return false;
      if (size > 0) {
        const place = taken & (CAPACITY - 1);
        const end = Math.min(place + Math.min(size, PIECE_SIZE), CAPACITY);
        take(this.#bytes.subarray(place, end));
        taken = (taken + end - place) | 0;
        Atomics.store(this.#words, TAKEN, taken);
        Atomics.notify(this.#words, TAKEN);
      } else if (state === ENDED) return true;
      else Atomics.wait(this.#words, BELL, bell);
    }
  }

  /** Tells the writer that nobody reads any more. */
  giveUp(): void {
    Atomics.store(this.#words, STATE, BROKEN);
    Atomics.notify(this.#words, TAKEN);
  }
}
