/** Replacing hash parts in what a builder made: in contents, names and targets of symlinks, each by itself. */
import { readSync } from 'node:fs';
import { StoreError } from '../../errors.ts';
import { HashRewriter } from '../../formats/hash-rewriter.ts';
import type { Turn } from './turn.ts';

const CHUNK_SIZE = 128 * 1024;

/** @param text - a byte string. */
export function rewriteText(text: string, rewrites: ReadonlyMap<string, string>): string {
  if (rewrites.size === 0) return text;
  const rewriter = new HashRewriter(rewrites);
  return Buffer.concat([rewriter.push(Buffer.from(text, 'latin1')), rewriter.finish()]).toString('latin1');
}

export interface RewriteOptions {
  readonly turn: Turn;
  /** For errors. */
  readonly path: string;
  readonly sink: (bytes: Uint8Array) => void;
}

/** Pours a file into a sink, as many bytes as it has, with hash parts replaced. */
export async function rewriteBytes(
  fd: number,
  size: number,
  rewrites: ReadonlyMap<string, string>,
  { turn, path, sink }: RewriteOptions,
): Promise<void> {
  const rewriter = new HashRewriter(rewrites);
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(size, CHUNK_SIZE)));
  for (let left = size; left > 0; ) {
    const read = readSync(fd, buffer, 0, Math.min(left, buffer.length), null);
    if (read === 0) throw new StoreError(`'${path}' became shorter while it was read`);
    sink(rewriter.push(buffer.subarray(0, read)));
    left -= read;
    if (left > 0 && turn.isOver) await turn.next();
  }
  sink(rewriter.finish());
}
