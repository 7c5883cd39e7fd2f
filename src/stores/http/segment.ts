/** A range of a file on its way: written by the one who fetches it, read meanwhile by the one who hands it on. */
import { TransferError } from '../../errors.ts';

export class Segment {
  /** Where it begins in the file, and where the next one does. */
  readonly start: number;
  readonly end: number;
  readonly #bytes: Uint8Array;
  #received = 0;
  #read = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(start: number, length: number) {
    this.start = start;
    this.end = start + length;
    this.#bytes = Buffer.allocUnsafeSlow(length);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Whether nothing more will come, be it because it failed. */
  get isSettled(): boolean {
    return this.#failure !== undefined || this.#received === this.length;
  }

  /** @throws {TransferError} where more comes than was asked for. */
  take(chunk: Uint8Array): void {
    if (this.#received + chunk.length > this.length) {
      throw new TransferError(`more came than the ${this.length} bytes that were asked for`);
    }
    this.#bytes.set(chunk, this.#received);
    this.#received += chunk.length;
    this.#wake?.();
  }

  /** Of no effect where all of it has come. */
  fail(error: unknown): void {
    if (this.isSettled) return;
    this.#failure = { error };
    this.#wake?.();
  }

  /** Waits for the first byte, or throws the failure in its place. */
  async begun(): Promise<void> {
    while (this.#received === 0) await this.#change();
  }

  /**
   * Waits for bytes that have not been read yet. For one reader, who does not read on after the end.
   *
   * @param maxSize - how many bytes it may get at once.
   * @throws the failure, when everything before it has been read.
   */
  async read(maxSize: number): Promise<Uint8Array> {
    while (this.#read === this.#received) await this.#change();
    const piece = this.#bytes.subarray(this.#read, Math.min(this.#received, this.#read + maxSize));
    this.#read += piece.length;
    return piece;
  }

  async #change(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
