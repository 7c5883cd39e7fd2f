/** How a fault server answers one request: the file, or what a {@link Fault} makes of it. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { type Body, bufferBody, corrupted, encoded, fileBody, zeros } from './fault-body.ts';
import type { Fault } from './faults.ts';
import { resetSocket } from './reset-socket.ts';

/** Of an endless head, in one write. */
const LINES = 16;

/** One request and what is needed to answer it. */
export interface Answering {
  readonly dir: string;
  readonly name: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of TCP, also where the request came through TLS. */
  readonly connection: Socket;
  readonly wait: (milliseconds: number) => Promise<unknown>;
  /** Called with the bytes of the body that are handed to the connection. */
  readonly onSent: (bytes: number) => void;
}

/** Is done when there is no more to send, or the client has gone. */
export async function answer(answering: Answering, fault: Fault | undefined): Promise<void> {
  const { request, response, connection, dir, name } = answering;
  const path = join(dir, decodeURIComponent(name.replace(/\?.*$/s, '')));
  const isBare = (fault?.kind === 'hang' || fault?.kind === 'reset' || fault?.kind === 'close') && !('after' in fault);
  if (isBare) return stop(answering, fault);
  switch (fault?.kind) {
    case 'status':
      response.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    case 'redirect':
      response.writeHead(fault.status ?? 302, { location: fault.to }).end();
      return;
    case 'endlessHeaders':
      connection.write('HTTP/1.1 200 OK\r\n');
      for (let line = 0; await write(connection, headerLines(line)); line += LINES) await setImmediate();
      return;
    case 'flood':
      return send(answering, fault, zeros(fault.length ?? Number.POSITIVE_INFINITY));
    case 'late':
      if (fault.milliseconds !== undefined) await answering.wait(fault.milliseconds);
      await fault.until;
  }
  if (request.method === 'PUT') {
    await mkdir(dirname(path), { recursive: true });
    await pipeline(request, createWriteStream(path));
    response.writeHead(201).end();
    return;
  }
  const file = await fileBody(path);
  const body = fault?.kind === 'replace' && fault.body !== undefined ? bufferBody(fault.body) : file;
  if (body === undefined) response.writeHead(404).end();
  else await send(answering, fault, await changed(body, fault));
}

async function changed(body: Body, fault: Fault | undefined): Promise<Body> {
  if (fault?.kind === 'corrupt') return corrupted(body, fault.at);
  if (fault?.kind === 'encode') return encoded(body, fault.encoding);
  if (fault?.kind === 'replace' && fault.etag !== undefined) return { ...body, etag: fault.etag };
  return body;
}

async function send(answering: Answering, fault: Fault | undefined, body: Body): Promise<void> {
  const { request, response } = answering;
  const ranges = fault?.kind !== 'ignoreRange' && fault?.kind !== 'encode' && Number.isFinite(body.size);
  const range = ranges ? rangeOf(request, body) : undefined;
  const headers: OutgoingHttpHeaders = { etag: body.etag, 'last-modified': body.modified.toUTCString() };
  if (ranges) headers['accept-ranges'] = 'bytes';
  if (fault?.kind === 'encode') headers['content-encoding'] = fault.encoding;
  if (fault?.kind === 'replace') Object.assign(headers, fault.headers);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${body.size}` }).end();
    return;
  }
  let [start, end] = range ?? [0, body.size];
  const asked = contentRange(start, end, body.size);
  if (range !== undefined && fault?.kind === 'wrongRange') [start, end] = [Math.min(fault.offset, end), end];
  if (range !== undefined) {
    const lies = fault?.kind === 'wrongRange' && fault.lie;
    headers['content-range'] = lies ? asked : contentRange(start, end, body.size);
  }
  const length = end - start + (fault?.kind === 'length' ? fault.by : 0);
  if (fault?.kind !== 'chunked' && Number.isFinite(length)) headers['content-length'] = length;
  response.writeHead(range === undefined ? 200 : 206, headers);
  response.flushHeaders();
  if (request.method === 'HEAD') response.end();
  else await pour(answering, fault, body.read(start, end));
}

async function pour(answering: Answering, fault: Fault | undefined, chunks: ReturnType<Body['read']>): Promise<void> {
  const { response, wait, onSent } = answering;
  const stops = fault?.kind === 'hang' || fault?.kind === 'reset' || fault?.kind === 'close';
  const limit = stops ? fault.after! : Number.POSITIVE_INFINITY;
  let sent = 0;
  for await (const chunk of chunks) {
    for (let offset = 0; offset < chunk.length && sent < limit; ) {
      const size = Math.min(chunk.length - offset, limit - sent, pieceSize(fault, sent));
      if (fault?.kind === 'drip' && sent >= (fault.from ?? 0)) await wait(fault.milliseconds);
      if (!(await write(response, chunk.subarray(offset, offset + size)))) return;
      if (fault?.kind === 'flood') await setImmediate(); // who reads in this process gets its turn
      onSent(size);
      sent += size;
      offset += size;
    }
    if (sent === limit) break;
  }
  if (stops) stop(answering, fault);
  else if (fault?.kind === 'length' && fault.by > 0) response.socket?.end();
  else response.end();
}

/** How much goes into one write. */
function pieceSize(fault: Fault | undefined, sent: number): number {
  if (fault?.kind === 'chunked') return fault.size ?? Number.POSITIVE_INFINITY;
  if (fault?.kind !== 'drip') return Number.POSITIVE_INFINITY;
  const before = (fault.from ?? 0) - sent;
  return before > 0 ? before : fault.bytes;
}

function stop({ connection, response }: Answering, { kind }: Fault): void {
  if (kind === 'reset') resetSocket(connection);
  else if (kind === 'close') response.socket?.end();
}

function headerLines(first: number): string {
  return Array.from({ length: LINES }, (_, line) => `X-Line-${first + line}: ${'x'.repeat(1000)}\r\n`).join('');
}

/** @returns false where the client has gone. */
function write(to: ServerResponse | Socket, chunk: Uint8Array | string): Promise<boolean> {
  if (to.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => to.write(chunk, (error) => resolve(error == null)));
}

function contentRange(start: number, end: number, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`;
}

/** What of the body is asked for; undefined where it is all of it, or the version asked for is another. */
function rangeOf(
  { headers }: IncomingMessage,
  { size, etag }: Body,
): [start: number, end: number] | 'unsatisfiable' | undefined {
  const spelled = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '');
  if (spelled === null || (headers['if-range'] !== undefined && headers['if-range'] !== etag)) return undefined;
  const [, first = '', last = ''] = spelled;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  return start < end ? [start, end] : 'unsatisfiable';
}
