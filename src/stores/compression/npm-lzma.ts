/**
 * xz by @napi-rs/lzma, for machines without liblzma: a stream around a thread of its own, so it answers with promises.
 * Its dictionary is as large as the input asks for: the package has no limit to set.
 */
import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import type * as lzma from '@napi-rs/lzma/xz';
import { FormatError } from '../../errors.ts';
import type { Sink } from '../store.ts';
import type { Codec } from './codec.ts';

let loaded: typeof lzma | undefined;

/** Loaded on first use: most machines have liblzma. */
function loadLzma(): typeof lzma {
  loaded ??= createRequire(import.meta.url)('@napi-rs/lzma/xz') as typeof lzma;
  return loaded;
}

/** @param what - names the input in errors. */
export function openNpmLzmaDecoder(sink: Sink, what: string): Codec {
  return new StreamCodec(loadLzma().createDecompressStream(), sink, what);
}

/** @param level - 0 to 9. */
export function openNpmLzmaEncoder(sink: Sink, level = 6): Codec {
  return new StreamCodec(loadLzma().createCompressStream({ preset: level }), sink, 'input');
}

/** A codec around a stream. What is in flight is bounded: a chunk is taken when the one before it has been. */
class StreamCodec implements Codec {
  readonly #stream: Duplex;
  readonly #sink: Sink;
  readonly #what: string;
  /** Settled when the sink has had everything; rejected with the first error of stream or sink. */
  readonly #poured: Promise<void>;
  #offset = 0;

  constructor(stream: Duplex, sink: Sink, what: string) {
    this.#stream = stream;
    this.#sink = sink;
    this.#what = what;
    this.#poured = this.#pour();
    this.#poured.catch(() => stream.destroy()); // whoever pushes or finishes gets the error
  }

  async push(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    this.#offset += chunk.length;
    const { promise: written, resolve } = Promise.withResolvers<void>();
    this.#stream.write(Buffer.from(chunk), () => resolve()); // an error comes by the other side
    await Promise.race([written, this.#poured]);
  }

  async finish(): Promise<void> {
    this.#stream.end();
    await this.#poured;
  }

  [Symbol.dispose](): void {
    this.#stream.on('error', () => {}); // nobody listens any more
    this.#stream.destroy();
  }

  async #pour(): Promise<void> {
    const chunks: AsyncIterator<Uint8Array> = this.#stream[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await chunks.next().catch((cause: Error) => {
        throw new FormatError(this.#what, this.#offset, cause.message, { cause });
      });
      if (done) return;
      await this.#sink(value);
    }
  }
}
