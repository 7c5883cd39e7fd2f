/** Output of many lines in pieces, whatever it comes to. */
import type { Output } from '../command.ts';

/** Characters of one piece. */
const PIECE = 64 * 1024;

/** Writes texts one after the other, each with a newline after it. Waits for the reader. */
export async function writeLines(stdout: Output, lines: Iterable<string>): Promise<void> {
  let piece = '';
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < PIECE) continue;
    await stdout.write(piece);
    piece = '';
  }
  if (piece !== '') await stdout.write(piece);
}
