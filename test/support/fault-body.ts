/** What a fault server sends: a file, or bytes in its place, read from any offset. */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';

/** Contents and what tells their version. */
export interface Body {
  readonly size: number;
  /** With its quotes. */
  readonly etag: string;
  readonly modified: Date;
  /** @param end - the first byte that is not wanted. */
  readonly read: (start: number, end: number) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Larger files are not taken into memory. */
const MAX_BUFFERED = 2 ** 20;
const CHUNK = 64 * 1024;

/** @returns undefined where there is no such file. */
export async function fileBody(path: string): Promise<Body | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  const etag = `"${Math.floor(found.mtimeMs).toString(16)}-${found.size.toString(16)}"`;
  const version = { etag, modified: found.mtime };
  if (found.size <= MAX_BUFFERED) return { ...bufferBody(await readFile(path)), ...version };
  const { size } = found;
  const read = (start: number, end: number) => (start < end ? createReadStream(path, { start, end: end - 1 }) : []);
  return { size, read, ...version };
}

export function bufferBody(content: string | Uint8Array): Body {
  const bytes = Buffer.from(content);
  return { size: bytes.length, etag: `"${bytes.length}"`, modified: new Date(0), read: slices(bytes) };
}

/** As many zeros as wanted, which may be without end. */
export function zeros(size: number): Body {
  const chunk = Buffer.alloc(CHUNK);
  return {
    size,
    etag: '"zeros"',
    modified: new Date(0),
    *read(start, end) {
      for (let left = end - start; left > 0; left -= chunk.length)
        yield chunk.subarray(0, Math.min(left, chunk.length));
    },
  };
}

/** The same with one bit of one byte flipped. */
export function corrupted(body: Body, at: number): Body {
  return {
    ...body,
    async *read(start, end) {
      let offset = start;
      for await (const chunk of body.read(start, end)) {
        const copy = Buffer.from(chunk);
        if (at >= offset && at < offset + copy.length) copy[at - offset]! ^= 1;
        offset += copy.length;
        yield copy;
      }
    },
  };
}

type Encoding = 'br' | 'deflate' | 'gzip' | 'zstd';

const ENCODERS: Readonly<Record<Encoding, (bytes: Uint8Array) => Uint8Array>> = {
  br: brotliCompressSync,
  deflate: deflateSync,
  gzip: gzipSync,
  zstd: zstdCompressSync,
};

/** The same under a Content-Encoding. */
export async function encoded(body: Body, encoding: Encoding): Promise<Body> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body.read(0, body.size)) chunks.push(chunk);
  const { etag, modified } = body;
  return {
    ...bufferBody(ENCODERS[encoding](Buffer.concat(chunks))),
    etag: `${etag.slice(0, -1)}-${encoding}"`,
    modified,
  };
}

function slices(bytes: Uint8Array): Body['read'] {
  return function* (start, end) {
    for (let offset = start; offset < end; offset += CHUNK) yield bytes.subarray(offset, Math.min(end, offset + CHUNK));
  };
}
