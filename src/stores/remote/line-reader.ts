/** Lines of a program's standard error: told one by one, and the last of them kept for a message. Bounded memory. */
import { plainText } from '../../formats/quote.ts';

/** In characters: longer lines are cut. */
const MAX_LINE_LENGTH = 64 * 1024;
/** In characters, of what is kept. */
const MAX_TAIL_LENGTH = 2_000;

export class LineReader {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #line = '';
  #tail: string[] = [];
  #tailLength = 0;

  /** @param onLine - hears each line without its end. */
  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    const [first = '', ...others] = this.#decoder.decode(chunk, { stream: true }).split('\n');
    this.#add(first);
    for (const start of others) {
      this.#end();
      this.#add(start);
    }
  }

  /** The last lines, in one: fit for a message. */
  tail(): string {
    if (this.#line !== '') this.#end();
    return plainText(this.#tail.join('; ')).slice(-MAX_TAIL_LENGTH);
  }

  #add(text: string): void {
    this.#line = (this.#line + text).slice(0, MAX_LINE_LENGTH);
  }

  #end(): void {
    const line = this.#line.replace(/\r$/, '');
    this.#line = '';
    this.#onLine(line);
    if (line.trim() === '') return;
    const kept = line.slice(0, MAX_TAIL_LENGTH);
    this.#tail.push(kept);
    this.#tailLength += kept.length;
    while (this.#tail.length > 1 && this.#tailLength > MAX_TAIL_LENGTH) this.#tailLength -= this.#tail.shift()!.length;
  }
}
