/** Runs codecs over bytes in memory. */
import type { Codec } from '../../src/stores/compression.ts';
import type { Sink } from '../../src/stores/store.ts';

/** Everything that comes out of a codec for `input`, pushed in chunks of `chunkSize` bytes. */
export async function pump(open: (sink: Sink) => Codec, input: Uint8Array, chunkSize = 65_536): Promise<Buffer> {
  const output: Buffer[] = [];
  using codec = open((chunk) => void output.push(Buffer.from(chunk)));
  for (let start = 0; start < input.length; start += chunkSize) {
    await codec.push(input.subarray(start, start + chunkSize));
  }
  await codec.finish();
  return Buffer.concat(output);
}
