/**
 * A block of lines at the bottom of a terminal that is drawn over itself. The cursor stays visible, at the end of the
 * last line, so that nothing has to be put right when the process is stopped or killed.
 */
import { columnsOf } from './columns.ts';

/** A terminal, as node:tty has it. */
export interface TerminalOutput {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
}

const CLEAR_DOWN = '\u001b[J';
const CLEAR_LINE_END = '\u001b[K';

export class LiveBlock {
  readonly #terminal: TerminalOutput;
  /** What is on the screen now. */
  #lines: readonly string[] = [];

  constructor(terminal: TerminalOutput) {
    this.#terminal = terminal;
  }

  /** Shows `lines` in place of those before; each must fit the width. Every call is one write: no flicker. */
  draw(lines: readonly string[]): void {
    const same = lines.length === this.#lines.length && lines.every((line, index) => line === this.#lines[index]);
    if (same) return;
    const text = lines.map((line) => line + CLEAR_LINE_END).join('\n');
    this.#terminal.write(this.#toStart() + text + CLEAR_DOWN);
    this.#lines = lines;
  }

  /** Prints text for good, above the block. */
  print(text: string): void {
    const rest = this.#lines.length === 0 ? '' : this.#lines.join('\n');
    this.#terminal.write(`${this.#toStart()}${this.#lines.length === 0 ? '' : CLEAR_DOWN}${text}\n${rest}`);
  }

  /** Takes the block away. */
  clear(): void {
    if (this.#lines.length > 0) this.#terminal.write(this.#toStart() + CLEAR_DOWN);
    this.#lines = [];
  }

  /**
   * Moves to where the block begins. A terminal that has become narrower has wrapped its lines, so they are counted
   * in the width that it has now.
   */
  #toStart(): string {
    const columns = Math.max(1, this.#terminal.columns);
    const height = this.#lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(columnsOf(line) / columns)), 0);
    return height > 1 ? `\r\u001b[${height - 1}A` : height === 1 ? '\r' : '';
  }
}
