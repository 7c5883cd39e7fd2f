/** Store paths and the like from the standard input. */
import { readText } from './read-text.ts';

/** A million store paths. */
const MAX_INPUT = 256 * 1024 * 1024;

/** All words of it, with white space between them. */
export async function readWords(input: AsyncIterable<Uint8Array>): Promise<string[]> {
  return (await readText(input, MAX_INPUT)).split(/\s+/).filter((word) => word !== '');
}
