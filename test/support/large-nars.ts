/** NARs that are larger than memory should ever be taken for, poured and not kept. */
import { createCipheriv, createHash } from 'node:crypto';
import { ARCHIVE_START, fileEnd, fileStart } from '../../src/formats/nar-writer.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, makeFixedOutputPath } from '../../src/formats/store-path.ts';
import type { NarSource } from '../../src/stores/store.ts';

/** In bytes. */
export const MEBIBYTE: number = 2 ** 20;
const BLOCK_SIZE = 64 * 1024;

export interface NoiseOptions {
  /** Of the one file in the NAR, in MiB. */
  readonly size: number;
  /** Which part of it cannot be compressed, from 0 to 1. */
  readonly noise: number;
}

/** A NAR that is the same in every run. */
export function narOfNoise({ size, noise }: NoiseOptions): NarSource {
  return async (sink) => {
    await sink(Buffer.from(ARCHIVE_START + fileStart(false, size * MEBIBYTE), 'latin1'));
    const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
    const zeros = Buffer.alloc(Math.round(noise * BLOCK_SIZE));
    const block = Buffer.alloc(BLOCK_SIZE, 'a line that comes again and again\n');
    for (let written = 0; written < size * MEBIBYTE; written += BLOCK_SIZE) {
      block.set(cipher.update(zeros));
      await sink(block);
    }
    await sink(Buffer.from(fileEnd(size * MEBIBYTE), 'latin1'));
  };
}

/** The path info of a content-addressed NAR, so that no signature is needed. */
export async function describeNar(nar: NarSource): Promise<PathInfo> {
  const hasher = createHash('sha256');
  let narSize = 0;
  await nar((chunk) => {
    hasher.update(chunk);
    narSize += chunk.length;
  });
  const narHash = { algorithm: 'sha256', digest: new Uint8Array(hasher.digest()) } as const;
  const contentAddress = { method: 'nar', hash: narHash } as const;
  const path = makeFixedOutputPath(DEFAULT_STORE_DIR, 'large', contentAddress, { references: [], self: false });
  return { path, narHash, narSize, references: [], signatures: [], contentAddress };
}
