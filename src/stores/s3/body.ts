/** Bodies of requests to S3: with their hash, which is signed, so that S3 takes nothing that was damaged on its way. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { bytesBody, type SendBody } from '../http/send.ts';
import type { S3Body } from './client.ts';

/** In bytes: after so many other requests have their turn. */
const PIECE = 1024 * 1024;

/** A body that is in memory. */
export function smallBody(bytes: Uint8Array): S3Body {
  return withHash(bytesBody(bytes), createHash('sha256').update(bytes).digest('hex'));
}

/** @param sha256 - in base 16. */
export function withHash(body: SendBody, sha256: string): S3Body {
  return { size: body.size, sha256, read: (start, size) => body.read(start, size) };
}

/** A part of a body, which is read twice and never in memory as a whole. */
export async function partOf(body: SendBody, offset: number, size: number): Promise<S3Body> {
  const part: SendBody = {
    size: Math.min(size, body.size - offset),
    read: (start, wanted) => body.read(offset + start, Math.min(wanted, part.size - start)),
  };
  const hash = createHash('sha256');
  for (let start = 0; start < part.size; start += PIECE) {
    hash.update(part.read(start, PIECE));
    await setImmediate();
  }
  return withHash(part, hash.digest('hex'));
}
