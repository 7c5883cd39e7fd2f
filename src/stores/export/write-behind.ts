/** Writing in large pieces, each while the next one is filled. */
import type { Sink } from '../store.ts';

/** In bytes: what is written at once. */
const SIZE = 256 * 1024;

export class WriteBehind {
  readonly #sink: Sink;
  #filling: Buffer = Buffer.allocUnsafe(SIZE);
  #spare: Buffer = Buffer.allocUnsafe(SIZE);
  #filled = 0;
  #writing: void | Promise<void> = undefined;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /**
   * Takes the next bytes, which are the caller's again once it is done.
   *
   * @throws what the sink threw, be it at bytes that came before.
   */
  readonly push: Sink = (chunk) => {
    if (this.#filled + chunk.length >= SIZE) return this.#pushMore(chunk);
    this.#filling.set(chunk, this.#filled);
    this.#filled += chunk.length;
    return undefined;
  };

  /** Done when the sink has taken everything. */
  async flush(): Promise<void> {
    if (this.#filled > 0) await this.#write();
    await this.#writing;
  }

  async #pushMore(chunk: Uint8Array): Promise<void> {
    for (let start = 0; start < chunk.length; ) {
      const part = chunk.subarray(start, start + SIZE - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      start += part.length;
      if (this.#filled === SIZE) await this.#write();
    }
  }

  async #write(): Promise<void> {
    await this.#writing;
    const full = this.#filling.subarray(0, this.#filled);
    this.#writing = this.#sink(full);
    this.#writing?.catch(() => {}); // whoever comes next is told
    [this.#filling, this.#spare, this.#filled] = [this.#spare, this.#filling, 0];
  }
}
