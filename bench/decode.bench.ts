/** Decoding a file of 16 MiB that compresses to a third, as NARs do, in chunks of 64 KiB as they come from a socket. */
import assert from 'node:assert/strict';
import { ZstdDecompress } from 'minizlib';
import { Bench } from 'tinybench';
import { openDecoder, openEncoder } from '../src/stores/compression.ts';
import { pump } from '../test/support/codecs.ts';
import { bytes } from '../test/support/seeded.ts';

const SIZE = 16 * 1024 * 1024;
const CHUNK_SIZE = 64 * 1024;
/** Made with bzip2 1.0.8 from 30,000,000 zeros: nothing here writes bzip2, and its time is in the bytes that come out. */
const BZIP2_ZEROS = Buffer.from('QlpoOTFBWSZTWRkjKSIA5cfAAMAIAAggADDMCappgqEo2qqUJR4u5IpwoSAyRlJE', 'base64');

/** Pieces of 8 to 39 bytes: every third is new, the others come from somewhere in the 64 KiB before. */
function makeFile(): Buffer {
  const file = Buffer.alloc(SIZE);
  const noise = Buffer.from(bytes(1024 * 1024, { seed: 1 }));
  for (let at = 0, turn = 0; at < SIZE; turn = (turn + 1) % 300_000) {
    const length = 8 + (noise[turn]! & 31);
    const from = at - length - noise.readUInt16LE(turn * 3);
    if (turn % 3 === 0 || from < 0) noise.copy(file, at, turn, turn + length);
    else file.copy(file, at, from, from + length);
    at += length;
  }
  return file;
}

async function decode(compression: string, file: Uint8Array, native = true): Promise<void> {
  using decoder = openDecoder(compression, () => {}, { native });
  for (let start = 0; start < file.length; start += CHUNK_SIZE) {
    await decoder.push(file.subarray(start, start + CHUNK_SIZE));
  }
  await decoder.finish();
}

function decodeByMinizlib(file: Buffer): void {
  const decoder = new ZstdDecompress({});
  decoder.on('data', () => {});
  for (let start = 0; start < file.length; start += CHUNK_SIZE) decoder.write(file.subarray(start, start + CHUNK_SIZE));
  decoder.end();
}

const file = makeFile();
const encode = (compression: string, level?: number): Promise<Buffer> =>
  pump((sink) => openEncoder(compression, sink, { level }), file);
const [zstd, gzip, br, xz] = await Promise.all([encode('zstd'), encode('gzip'), encode('br', 5), encode('xz', 1)]);

for (const [compression, input] of Object.entries({ zstd, gzip, br, xz })) {
  for (const native of [true, false]) {
    assert.ok((await pump((sink) => openDecoder(compression, sink, { native }), input)).equals(file)); // never time a wrong answer
  }
}

export const bench: Bench = new Bench({ name: 'decode 16 MiB (bzip2: 29 MiB)', time: 500 })
  .add('zstd', () => decode('zstd', zstd))
  .add('zstd, minizlib', () => decodeByMinizlib(zstd))
  .add('gzip', () => decode('gzip', gzip))
  .add('br', () => decode('br', br))
  .add('xz, liblzma', () => decode('xz', xz))
  .add('xz, @napi-rs/lzma', () => decode('xz', xz, false))
  .add('bzip2, libbz2', () => decode('bzip2', BZIP2_ZEROS))
  .add('bzip2, TypeScript', () => decode('bzip2', BZIP2_ZEROS, false));
