/** Bits of a bzip2 stream, the highest of each byte first, out of a buffer that is filled from the other end. */

/** More bits were asked for than there are. */
export class EndOfInputError extends Error {}

export class BitReader {
  readonly #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  /** Bits that were taken out of the buffer and not yet read, the next one highest. Never more than 31. */
  #held = 0;
  #count = 0;

  constructor(capacity: number) {
    this.#buffer = new Uint8Array(capacity);
  }

  /** Whole bytes that were not looked at yet. */
  get bytesLeft(): number {
    return this.#end - this.#start;
  }

  /** Copies as much of `input` from `offset` on as there is room for. Returns how many bytes that were. */
  fill(input: Uint8Array, offset: number): number {
    const wanted = input.length - offset;
    if (wanted > this.#buffer.length - this.#end) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const taken = Math.min(wanted, this.#buffer.length - this.#end);
    this.#buffer.set(input.subarray(offset, offset + taken), this.#end);
    this.#end += taken;
    return taken;
  }

  /** @param count - 1 to 24. */
  read(count: number): number {
    while (this.#count < count) {
      if (this.#start === this.#end) throw new EndOfInputError();
      this.#held = ((this.#held << 8) | this.#buffer[this.#start++]!) & 0x7fffffff;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#held >>> this.#count) & ((1 << count) - 1);
  }

  read32(): number {
    return this.read(16) * 0x10000 + this.read(16);
  }

  /** Leaves out the rest of a byte that was begun. */
  skipToByte(): void {
    this.#count -= this.#count % 8;
  }
}
