import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type FaultServer, type FaultServerOptions, serveFaults } from './fault-server.ts';
import type { Fault, FaultPlan } from './faults.ts';
import { makeScratch } from './scratch.ts';
import { bytes } from './seeded.ts';
import { makeCertificate } from './test-certificate.ts';

const FILE = bytes(10_000, { seed: 1 });

interface Served extends AsyncDisposable {
  readonly server: FaultServer;
  readonly dir: string;
}

/** A server of one file. */
async function serve(plan: FaultPlan | Fault, options?: FaultServerOptions): Promise<Served> {
  await using stack = new AsyncDisposableStack();
  const { path: dir } = stack.use(await makeScratch());
  await writeFile(join(dir, 'file'), FILE);
  const server = stack.use(await serveFaults(dir, typeof plan === 'function' ? plan : () => plan, options));
  const kept = stack.move();
  return { server, dir, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Sends a request by hand over a connection of its own. */
function send(server: FaultServer, headers: readonly string[] = []): Socket {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(['GET /file HTTP/1.1', 'Host: localhost', ...headers, '', ''].join('\r\n'));
  return socket;
}

/** What comes until the connection ends: the size of the body, and how it ended. */
async function ending(socket: Socket): Promise<{ head: string; body: Buffer; error: string | undefined }> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  let code: string | undefined;
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code;
  });
  await new Promise((resolve) => socket.on('close', resolve));
  const all = Buffer.concat(chunks);
  const end = all.indexOf('\r\n\r\n');
  return { head: all.toString('latin1', 0, Math.max(0, end)), body: all.subarray(end + 4), error: code };
}

/** Reads so many bytes of the body, and no more comes before the connection is closed from here. */
async function bytesBeforeHang(socket: Socket, size: number): Promise<Buffer> {
  let all = Buffer.alloc(0);
  for await (const chunk of socket) {
    all = Buffer.concat([all, chunk]);
    const end = all.indexOf('\r\n\r\n');
    if (end >= 0 && all.length >= end + 4 + size) return all.subarray(end + 4);
  }
  throw new Error('the connection ended');
}

test('the file comes whole, with what a client needs to resume', async () => {
  await using served = await serve(() => undefined);
  const response = await fetch(`${served.server.url}/file`);
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(FILE));
  assert.equal(response.headers.get('content-length'), '10000');
  assert.equal(response.headers.get('accept-ranges'), 'bytes');
  assert.match(response.headers.get('etag')!, /^".+"$/);
  assert.equal(served.server.sent('file'), 10_000);
  assert.equal((await fetch(`${served.server.url}/other`)).status, 404);
});

/** Range asked for, status, first byte and the one after the last, Content-Range. */
const RANGES = [
  ['bytes=9000-', 206, 9000, 10_000, 'bytes 9000-9999/10000'],
  ['bytes=0-0', 206, 0, 1, 'bytes 0-0/10000'],
  ['bytes=-10', 206, 9990, 10_000, 'bytes 9990-9999/10000'],
  ['bytes=9999-20000', 206, 9999, 10_000, 'bytes 9999-9999/10000'],
  ['bytes=10000-', 416, 0, 0, 'bytes */10000'],
] as const;

for (const [range, status, start, end, contentRange] of RANGES) {
  test(`the range ${range} is answered with status ${status}`, async () => {
    await using served = await serve(() => undefined);
    const response = await fetch(`${served.server.url}/file`, { headers: { range } });
    assert.equal(response.status, status);
    assert.equal(response.headers.get('content-range'), contentRange);
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(FILE.subarray(start, end)));
    assert.equal(served.server.requests[0]!.headers.range, range);
  });
}

test('a range of another version is answered with the whole file', async () => {
  await using served = await serve(({ attempt }) => (attempt > 1 ? { kind: 'replace', etag: '"new"' } : undefined));
  const url = `${served.server.url}/file`;
  const etag = (await fetch(url)).headers.get('etag')!;
  const response = await fetch(url, { headers: { range: 'bytes=1-', 'if-range': etag } });
  assert.equal(response.status, 200);
  assert.equal((await fetch(url, { headers: { range: 'bytes=1-', 'if-range': '"new"' } })).status, 206);
});

test('ranges are ignored, or another one sent, where the plan says so', async () => {
  const faults: Fault[] = [
    { kind: 'ignoreRange' },
    { kind: 'wrongRange', offset: 7 },
    { kind: 'wrongRange', offset: 7, lie: true },
  ];
  await using served = await serve(({ attempt }) => faults[attempt - 1]);
  const ask = () => fetch(`${served.server.url}/file`, { headers: { range: 'bytes=9-' } });
  const ignored = await ask();
  assert.equal(ignored.status, 200);
  assert.equal(ignored.headers.get('accept-ranges'), null);
  const other = await ask();
  assert.equal(other.headers.get('content-range'), 'bytes 7-9999/10000');
  assert.deepEqual(Buffer.from(await other.arrayBuffer()), Buffer.from(FILE.subarray(7)));
  assert.equal((await ask()).headers.get('content-range'), 'bytes 9-9999/10000');
});

test('a connection is reset, or closed, after the bytes that were named', async () => {
  const faults: Fault[] = [
    { kind: 'reset', after: 500 },
    { kind: 'close', after: 500 },
    { kind: 'reset' },
    { kind: 'close' },
  ];
  await using served = await serve(({ attempt }) => faults[attempt - 1]);
  const reset = await ending(send(served.server));
  assert.deepEqual([reset.body.length, reset.error], [500, 'ECONNRESET']);
  const closed = await ending(send(served.server));
  assert.deepEqual([closed.body.length, closed.error], [500, undefined]);
  assert.match(closed.head, /content-length: 10000/);
  assert.equal((await ending(send(served.server))).error, 'ECONNRESET');
  const silent = await ending(send(served.server));
  assert.deepEqual([silent.head, silent.error], ['', undefined]);
});

test('a body stops, and the connection stays open', async () => {
  await using served = await serve({ kind: 'hang', after: 1234 });
  assert.equal((await bytesBeforeHang(send(served.server), 1234)).length, 1234);
  assert.equal(served.server.sent('file'), 1234);
});

test('a request is never answered, and closing the server ends it', async () => {
  await using served = await serve({ kind: 'hang' });
  const ended = ending(send(served.server));
  while (served.server.requests.length === 0) await new Promise(setImmediate);
  await served.server[Symbol.asyncDispose]();
  assert.equal((await ended).head, '');
});

test('a body drips by a clock that the test may hold', async () => {
  const waits: number[] = [];
  const wait = async (milliseconds: number) => void waits.push(milliseconds);
  await using served = await serve({ kind: 'drip', bytes: 100, milliseconds: 70, from: 9_700 }, { wait });
  const response = await fetch(`${served.server.url}/file`);
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(FILE));
  assert.deepEqual(waits, [70, 70, 70]);
});

test('an answer is late until something has happened', async () => {
  const until = Promise.withResolvers<void>();
  await using served = await serve({ kind: 'late', until: until.promise });
  const response = fetch(`${served.server.url}/file`);
  while (served.server.requests.length === 0) await new Promise(setImmediate);
  until.resolve();
  assert.equal((await response).status, 200);
});

test('any status comes with its headers, for the attempts that the plan names', async () => {
  await using served = await serve(({ attempt }) =>
    attempt === 1 ? { kind: 'status', status: 429, headers: { 'retry-after': '3' } } : undefined,
  );
  const response = await fetch(`${served.server.url}/file`);
  assert.deepEqual([response.status, response.headers.get('retry-after')], [429, '3']);
  assert.equal((await fetch(`${served.server.url}/file`)).status, 200);
});

test('a length is announced that is wrong either way', async () => {
  await using served = await serve(({ attempt }) => ({ kind: 'length', by: attempt === 1 ? 10 : -10 }));
  const long = await ending(send(served.server));
  assert.match(long.head, /content-length: 10010/);
  assert.equal(long.body.length, 10_000);
  const short = await ending(send(served.server, ['Connection: close']));
  assert.match(short.head, /content-length: 9990/);
  assert.equal(short.body.length, 10_000);
});

test('a body comes in chunks without a length', async () => {
  await using served = await serve({ kind: 'chunked', size: 3_000 });
  const response = await fetch(`${served.server.url}/file`);
  assert.equal(response.headers.get('content-length'), null);
  assert.equal((await response.arrayBuffer()).byteLength, 10_000);
});

test('one bit is flipped, in a range as well', async () => {
  await using served = await serve({ kind: 'corrupt', at: 5_000 });
  const headers = { range: 'bytes=4999-' };
  const body = new Uint8Array(await (await fetch(`${served.server.url}/file`, { headers })).arrayBuffer());
  assert.equal(body[1], FILE[5_000]! ^ 1);
  body[1]! ^= 1;
  assert.deepEqual(Buffer.from(body), Buffer.from(FILE.subarray(4_999)));
});

test('a redirect leads elsewhere, or round in a circle', async () => {
  await using served = await serve(({ name }) => (name === 'file' ? undefined : { kind: 'redirect', to: 'circle' }));
  assert.equal((await fetch(`${served.server.url}/x`, { redirect: 'manual' })).headers.get('location'), 'circle');
  await assert.rejects(fetch(`${served.server.url}/x`), /fetch failed/);
});

test('a Content-Encoding is put on', async () => {
  await using served = await serve({ kind: 'encode', encoding: 'gzip' });
  const { head, body } = await ending(send(served.server, ['Connection: close']));
  assert.match(head, /content-encoding: gzip/);
  assert.deepEqual(gunzipSync(body), Buffer.from(FILE));
});

test('headers and bodies come without end, no faster than they are read', async () => {
  await using served = await serve(({ attempt }) => (attempt === 1 ? { kind: 'endlessHeaders' } : { kind: 'flood' }));
  for (const expected of [/X-Line-99: x+\r\n/, /Transfer-Encoding: chunked/]) {
    let text = '';
    for await (const chunk of send(served.server)) {
      text += chunk;
      if (text.length > 200_000) break;
    }
    assert.ok(expected.test(text), text.slice(0, 300));
  }
  await new Promise(setImmediate);
  assert.ok(served.server.sent() < 20_000_000, `${served.server.sent()} bytes were sent to a reader of 200 kB`);
});

test('connections are refused for a while, on the same port', async () => {
  await using served = await serve(() => undefined);
  const { url } = served.server;
  await served.server.refuse();
  await assert.rejects(
    fetch(`${url}/file`),
    (error: Error) => (error.cause as NodeJS.ErrnoException).code === 'ECONNREFUSED',
  );
  await served.server.listen();
  assert.equal(served.server.url, url);
  assert.equal((await fetch(`${url}/file`)).status, 200);
});

test('what is put is served', async () => {
  await using served = await serve(({ attempt }) => (attempt === 1 ? { kind: 'status', status: 503 } : undefined));
  const put = () => fetch(`${served.server.url}/nar/new`, { method: 'PUT', body: 'new' });
  assert.equal((await put()).status, 503);
  assert.equal((await put()).status, 201);
  assert.equal(await readFile(join(served.dir, 'nar/new'), 'utf8'), 'new');
});

test('TLS is spoken with a certificate, and a handshake may hang or be reset', async () => {
  const tls = await makeCertificate();
  const connection = (number: number) => ([undefined, 'reset', 'hang'] as const)[number - 1];
  await using served = await serve(({ name }) => (name === 'reset' ? { kind: 'reset', after: 10 } : undefined), {
    tls,
    connection,
  });
  const ask = () => get(`${served.server.url}/file`, { ca: tls.cert, agent: false });
  const [response] = await once(ask(), 'response');
  assert.deepEqual(await buffer(response), Buffer.from(FILE));
  await assert.rejects(once(ask(), 'response'), { code: 'ECONNRESET' });
  const hanging = ask();
  const failed = once(hanging, 'response').catch((error) => error.code);
  while (served.server.connections < 3) await new Promise(setImmediate);
  hanging.destroy();
  assert.equal(await failed, 'ECONNRESET');
});

test('a body inside TLS can be reset', async () => {
  const tls = await makeCertificate();
  await using served = await serve({ kind: 'reset', after: 10 }, { tls });
  const request = get(`${served.server.url}/file`, { ca: tls.cert, agent: false });
  const [error] = await once(request, 'error');
  assert.equal(error.code, 'ECONNRESET');
  assert.equal(served.server.sent('file'), 10);
});

test('what was asked is kept and counted', async () => {
  await using served = await serve(() => undefined);
  await Promise.all([1, 2].map(async () => (await fetch(`${served.server.url}/file`)).arrayBuffer()));
  assert.deepEqual(
    served.server.requests.map(({ name, attempt, method }) => [name, attempt, method]),
    [
      ['file', 1, 'GET'],
      ['file', 2, 'GET'],
    ],
  );
  assert.equal(served.server.connections, 2);
  assert.equal(served.server.sent(), 20_000);
  assert.ok(served.server.maxConcurrent >= 1);
});
