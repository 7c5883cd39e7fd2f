/** A terminal that is a string: it obeys the few escape sequences that a live display writes, and wraps long lines. */
import type { TerminalOutput } from '../../src/cli/progress/live-block.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what it reads
const TOKEN = /\u001b\[(\d*)([AJK])|\r|\n|[^\r\n\u001b]/g;

export class Screen implements TerminalOutput {
  #columns: number;
  readonly rows: number;
  #cells: string[][] = [[]];
  #row = 0;
  #column = 0;
  /** How often something was written. */
  writes = 0;

  constructor(columns: number, rows: number) {
    this.#columns = columns;
    this.rows = rows;
  }

  get columns(): number {
    return this.#columns;
  }

  /** What is to be seen: every row, without the space at its end. */
  get text(): string {
    return this.#cells.map((row) => row.join('').trimEnd()).join('\n');
  }

  /** Makes the terminal narrower, wrapping what does not fit, as terminals do. */
  narrow(columns: number): void {
    this.#columns = columns;
    const rows = this.#cells.flatMap((row) => chunks(row, columns));
    this.#row = rows.length - 1;
    this.#column = rows.at(-1)!.length;
    this.#cells = rows;
  }

  write(text: string): void {
    this.writes++;
    for (const [token, count, command] of text.matchAll(TOKEN)) {
      if (token === '\r') this.#column = 0;
      else if (token === '\n') this.#moveTo(this.#row + 1, 0);
      else if (command === 'A') this.#moveTo(Math.max(0, this.#row - Number(count || 1)), this.#column);
      else if (command === 'K') this.#cells[this.#row]!.length = this.#column;
      else if (command === 'J') this.#clearDown();
      else this.#put(token);
    }
  }

  #put(character: string): void {
    if (this.#column === this.#columns) this.#moveTo(this.#row + 1, 0);
    const row = this.#cells[this.#row]!;
    while (row.length < this.#column) row.push(' ');
    row[this.#column++] = character;
  }

  #moveTo(row: number, column: number): void {
    while (this.#cells.length <= row) this.#cells.push([]);
    this.#row = row;
    this.#column = column;
  }

  #clearDown(): void {
    this.#cells[this.#row]!.length = Math.min(this.#cells[this.#row]!.length, this.#column);
    this.#cells.length = this.#row + 1;
  }
}

function chunks(row: readonly string[], size: number): string[][] {
  const parts: string[][] = [];
  for (let start = 0; start === 0 || start < row.length; start += size) parts.push(row.slice(start, start + size));
  return parts;
}
