/**
 * What a builder prints, as lines. A carriage return goes back to the start of the line, as on a terminal, so what comes
 * after it replaces what was there.
 *
 * Source: Nix 2.35 libstore/build/build-log.cc.
 */

/** Bytes of a line; a longer one is taken for several. */
const MAX_LINE = 64 * 1024;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export class LogLines {
  readonly #onLine: (line: string) => void;
  /** Of the line whose end has not come. */
  #rest: Buffer[] = [];
  #length = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** @param chunk - is not looked at any more once the call is over. */
  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#add(chunk.subarray(start, end));
      this.#end();
      start = end + 1;
    }
    if (start < chunk.length) this.#add(Buffer.from(chunk.subarray(start)));
  }

  /** What came after the last newline is a line, too. */
  finish(): void {
    if (this.#length > 0) this.#end();
  }

  #add(piece: Buffer): void {
    let rest = piece;
    while (this.#length + rest.length > MAX_LINE) {
      const room = MAX_LINE - this.#length;
      this.#rest.push(rest.subarray(0, room));
      this.#end();
      rest = rest.subarray(room);
    }
    if (rest.length === 0) return;
    this.#rest.push(rest);
    this.#length += rest.length;
  }

  #end(): void {
    const line = this.#rest.length === 1 ? this.#rest[0]! : Buffer.concat(this.#rest);
    this.#rest = [];
    this.#length = 0;
    this.#onLine((line.includes(CARRIAGE_RETURN) ? overwrite(line) : line).toString());
  }
}

function overwrite(line: Buffer): Buffer {
  const shown = Buffer.alloc(line.length);
  let length = 0;
  let position = 0;
  for (const byte of line) {
    if (byte === CARRIAGE_RETURN) {
      position = 0;
      continue;
    }
    shown[position++] = byte;
    length = Math.max(length, position);
  }
  return shown.subarray(0, length);
}
