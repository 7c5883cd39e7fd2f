/** Text from the standard input. */
import { UsageError } from '../errors.ts';

/**
 * All of it, as UTF-8.
 *
 * @param limit - in bytes.
 * @throws {UsageError} where there is more.
 */
export async function readText(input: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input) {
    size += chunk.length;
    if (size > limit) throw new UsageError(`more than ${limit} bytes on the standard input`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
