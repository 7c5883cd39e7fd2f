import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { getCACertificates, type SecureContextOptions, setDefaultCACertificates } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { makeSettings } from '../../../src/settings.ts';
import { HttpTransport } from '../../../src/stores/http/transport.ts';
import type { Sink } from '../../../src/stores/store.ts';
import { needs, output } from '../../support/run.ts';
import { makeScratch } from '../../support/scratch.ts';
import { bytes } from '../../support/seeded.ts';

/** More than one read can bring. */
const LARGE = 600_000;

interface File {
  readonly name: string;
  readonly contents: Buffer;
}

/** Files that differ from their first byte on, of all kinds of lengths. */
const FILES: readonly File[] = [0, 1, 1_000, 4_096, 50_000, 65_536, 100_001, LARGE].flatMap((length, kind) =>
  [1, 2, 3].map((copy) => ({
    name: `${length}-${copy}`,
    contents: Buffer.from(bytes(length, { seed: 1_000_003 * (3 * kind + copy) })),
  })),
);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Sends in pieces of `size` bytes. One that is on its way is received before the next is sent. */
async function sendPieces(socket: Socket, data: Buffer, size: number): Promise<void> {
  for (let start = 0; start < data.length && !socket.destroyed; start += size) {
    await new Promise((resolve) => socket.write(data.subarray(start, start + size), resolve));
    await turn();
  }
}

/** What answers a request over a bare socket. */
type Answer = (name: string, socket: Socket) => Promise<void>;

/** A server that knows as much of HTTP as is needed to be unusual. */
function bareServer(answer: Answer): Server {
  return createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {}); // the client may leave first
    socket.on('data', (request) => {
      const [, name] = /^GET \/(\S*) /.exec(request.toString())!;
      answer(name!, socket).catch((error) => socket.destroy(error));
    });
  });
}

/** Connects to what listens by now; ends both. */
async function connectTo(server: Server, resources: AsyncDisposableStack, scheme = 'http'): Promise<HttpTransport> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  resources.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return resources.use(new HttpTransport(`${scheme}://127.0.0.1:${port}`, makeSettings()));
}

const contentsOf = (name: string): Buffer => FILES.find((file) => file.name === name)!.contents;

const HEADS = {
  'with a length': ({ length }: Buffer) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`,
  'that end with the connection': () => 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n',
} as const;

const SINKS = {
  'takes them at once': (chunks: Buffer[]): Sink => {
    return (chunk) => void chunks.push(Buffer.from(chunk));
  },
  'takes its time': (chunks: Buffer[]): Sink => {
    return async (chunk) => {
      chunks.push(Buffer.from(chunk));
      for (let turns = 0; turns < 3; turns++) await turn();
    };
  },
} as const;

/** Fetches all files at once, and compares. */
async function fetchAll(transport: HttpTransport, makeSink: (chunks: Buffer[]) => Sink): Promise<void> {
  const wrong: string[] = [];
  await Promise.all(
    FILES.map(async ({ name, contents }) => {
      const chunks: Buffer[] = [];
      await transport.streamFile(name, makeSink(chunks));
      if (!Buffer.concat(chunks).equals(contents)) wrong.push(name);
    }),
  );
  assert.deepEqual(wrong, []);
}

/** A key, and a certificate for 127.0.0.1 that this process trusts from now on. */
async function trustedCertificate(): Promise<SecureContextOptions> {
  await using scratch = await makeScratch();
  const [key, cert] = [join(scratch.path, 'key.pem'), join(scratch.path, 'certificate.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  await output('openssl', ['req', '-x509', '-nodes', '-days', '2', ...curve, ...subject, '-keyout', key, '-out', cert]);
  const pair = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  setDefaultCACertificates([...getCACertificates('default'), pair.cert]);
  return pair;
}

describe('reads into one buffer', () => {
  for (const [ending, headOf] of Object.entries(HEADS)) {
    for (const [way, makeSink] of Object.entries(SINKS)) {
      test(`bring many bodies ${ending} at once, each to its own sink, where that ${way}`, async () => {
        await using resources = new AsyncDisposableStack();
        const server = bareServer(async (name, socket) => {
          const contents = contentsOf(name);
          await sendPieces(socket, Buffer.concat([Buffer.from(headOf(contents)), contents]), 33_333);
          if (ending !== 'with a length') socket.end();
        });
        await fetchAll(await connectTo(server, resources), makeSink);
      });
    }
  }

  test('bring bodies in chunks, cut anywhere', async () => {
    const body = Buffer.from(bytes(600, { seed: 5 }));
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const parts = [0, 200, 400].map((start) =>
      Buffer.concat([Buffer.from(`c8\r\n`), body.subarray(start, start + 200), Buffer.from('\r\n')]),
    );
    const response = Buffer.concat([Buffer.from(head), ...parts, Buffer.from('0\r\n\r\n')]);
    await using resources = new AsyncDisposableStack();
    const server = bareServer((name, socket) => sendPieces(socket, response, Number(name)));
    const transport = await connectTo(server, resources);
    await Promise.all(
      [1, 2, 3, 7, 199, 200, 201].map(async (size) => {
        for (const makeSink of Object.values(SINKS)) {
          const chunks: Buffer[] = [];
          await transport.streamFile(String(size), makeSink(chunks));
          assert.ok(Buffer.concat(chunks).equals(body), `in pieces of ${size}`);
        }
      }),
    );
  });

  test('hold the server back while the sink is busy, and go on afterwards', async () => {
    await using resources = new AsyncDisposableStack();
    const length = 48 * 1024 * 1024; // far more than the kernel keeps for a connection
    let sent = 0;
    const server = bareServer(async (_, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      const piece = Buffer.alloc(512 * 1024);
      while (sent < length && !socket.destroyed) {
        await new Promise((resolve) => socket.write(piece, resolve));
        sent += piece.length;
      }
    });
    const transport = await connectTo(server, resources);
    const [busy, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let received = 0;
    const streamed = transport.streamFile('endless', (chunk) => {
      received += chunk.length;
      busy.resolve();
      return free.promise;
    });
    await busy.promise;
    for (let turns = 0; turns < 500; turns++) await turn();
    assert.ok(sent < length / 2, `${sent} bytes were sent`);
    free.resolve();
    await streamed;
    assert.equal(received, length);
  });

  test('leave a sink its chunk until its promise is kept', async () => {
    await using resources = new AsyncDisposableStack();
    const server = bareServer(async (name, socket) => {
      const contents = contentsOf(name);
      await sendPieces(socket, Buffer.concat([Buffer.from(HEADS['with a length'](contents)), contents]), 33_333);
    });
    await fetchAll(await connectTo(server, resources), (chunks) => async (chunk) => {
      for (let turns = 0; turns < 3; turns++) await turn();
      chunks.push(Buffer.from(chunk));
    });
  });

  test('bring heads that come in pieces', async () => {
    const body = gzipSync('hello');
    await using resources = new AsyncDisposableStack();
    const server = bareServer(async (name, socket) => {
      const [size, moved] = name.split('-');
      const head =
        moved === undefined
          ? `HTTP/1.1 302 Found\r\nLocation: /${size}-moved${'?'.padEnd(40, 'x')}\r\nContent-Length: 0\r\n\r\n`
          : `HTTP/1.1 200 OK\r\nX-First: ${'y'.repeat(40)}\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
      await sendPieces(
        socket,
        Buffer.concat([Buffer.from(head), ...(moved === undefined ? [] : [body])]),
        Number(size),
      );
    });
    const transport = await connectTo(server, resources);
    await Promise.all(
      [1, 5, 20, 31, 64].map(async (size) => {
        const file = await transport.getFile(String(size), 5);
        assert.equal(Buffer.from(file!).toString(), 'hello', `in pieces of ${size}`);
      }),
    );
  });

  for (const [ending, headers] of [
    ['that stay open', {}],
    ['that are closed', { connection: 'close' }],
  ] as const) {
    test(`bring bodies over TLS connections ${ending}`, needs('openssl'), async () => {
      await using resources = new AsyncDisposableStack();
      const server = createHttpsServer(await trustedCertificate(), (request, response) => {
        response.writeHead(200, headers).end(contentsOf(request.url!.slice(1)));
      });
      const transport = await connectTo(server, resources, 'https');
      for (const makeSink of Object.values(SINKS)) await fetchAll(transport, makeSink);
    });
  }

  test('bring bodies over HTTP/2', needs('openssl'), async () => {
    await using resources = new AsyncDisposableStack();
    const versions = new Set<string>();
    const server = createSecureServer({ ...(await trustedCertificate()) }, (request, response) => {
      versions.add(request.httpVersion);
      response.end(contentsOf(request.url.slice(1)));
    });
    const transport = await connectTo(server, resources, 'https');
    for (const makeSink of Object.values(SINKS)) await fetchAll(transport, makeSink);
    assert.deepEqual([...versions], ['2.0']);
  });
});
