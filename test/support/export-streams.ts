/** Export streams, as `nix-store --export` writes them. */
import { EXPORT_END, EXPORT_NEXT, printExported } from '../../src/formats/export-stream.ts';
import { DEFAULT_STORE_DIR } from '../../src/formats/store-path.ts';
import type { StoreObject } from './store-objects.ts';

/** The stream of these objects, in this order. */
export function exportStream(...objects: readonly StoreObject[]): Buffer {
  const parts = objects.map(({ info, nar }) =>
    Buffer.concat([EXPORT_NEXT, nar, printExported(DEFAULT_STORE_DIR, info)]),
  );
  return Buffer.concat([...parts, EXPORT_END]);
}

/** Bytes in chunks of `size`. */
export async function* inChunks(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
