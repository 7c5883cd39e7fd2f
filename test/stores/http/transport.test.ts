import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { FormatError, SubstituteGoneError, TransferError } from '../../../src/errors.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import { HttpTransport } from '../../../src/stores/http/transport.ts';
import { USER_AGENT } from '../../../src/stores/http/user-agent.ts';
import { type HttpCache, type Misbehave, serveCache } from '../../support/http-cache.ts';
import { bytes } from '../../support/seeded.ts';
import { collect } from '../../support/store-objects.ts';

const HELLO = Buffer.from('hello');
const LARGE = Buffer.from(bytes(2_000_000, { seed: 9 }));

interface SetUp extends AsyncDisposable {
  readonly server: HttpCache;
  readonly transport: HttpTransport;
}

const wait = async (): Promise<void> => {};

/** A server with the files `small` and `large`, and a transport to it that does not wait between attempts. */
async function setUp(misbehave?: Misbehave, settings: Partial<Settings> = {}): Promise<SetUp> {
  await using resources = new AsyncDisposableStack();
  const { path } = resources.use(await mkdtempDisposable(join(tmpdir(), 'sluice-test-')));
  await Promise.all([writeFile(join(path, 'small'), HELLO), writeFile(join(path, 'large'), LARGE)]);
  const server = resources.use(await serveCache(path, misbehave));
  const transport = resources.use(new HttpTransport(server.url, makeSettings(settings), { wait }));
  const held = resources.move();
  return { server, transport, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

const text = (file: Uint8Array | undefined): string => Buffer.from(file!).toString();

describe('an HTTP transport', () => {
  test('gets files, large and small, chunked and not', async () => {
    for (const chunkSize of [undefined, 1_000]) {
      await using cache = await setUp(() => (chunkSize === undefined ? undefined : { chunkSize }));
      assert.equal(text(await cache.transport.getFile('small', 5)), 'hello');
      let downloaded = 0;
      const onDownload = (count: number): void => {
        downloaded += count;
      };
      const poured = await collect((sink) => cache.transport.streamFile('large', sink, { onDownload }));
      assert.ok(poured.equals(LARGE));
      assert.equal(downloaded, LARGE.length);
    }
  });

  test('uses its connections again', async () => {
    await using cache = await setUp();
    for (let count = 0; count < 5; count++) {
      await cache.transport.getFile('small', 5);
      assert.equal(await cache.transport.getFile('nothing', 5), undefined);
    }
    assert.ok(cache.server.connections <= 2); // a request may come before undici has seen that the last one is over
  });

  test('makes as many connections as the setting allows', async () => {
    await using cache = await setUp(undefined, { httpConnections: 3 });
    await Promise.all(Array.from({ length: 20 }, () => cache.transport.getFile('small', 5)));
    assert.equal(cache.server.connections, 3);
  });

  test('says who asks', async () => {
    const agents: (string | undefined)[] = [];
    await using cache = await setUp((_, request) => {
      agents.push(request.headers['user-agent']);
      return undefined;
    });
    await cache.transport.getFile('small', 5);
    const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'));
    assert.deepEqual(agents, [`sluice/${version}`]);
    assert.equal(USER_AGENT, `sluice/${version}`);
  });

  for (const status of [403, 404, 410]) {
    test(`takes status ${status} for a file that is not there`, async () => {
      await using cache = await setUp(() => ({ status, body: Buffer.from('no such key') }));
      assert.equal(await cache.transport.getFile('small', 5), undefined);
      await assert.rejects(
        cache.transport.streamFile('small', () => {}),
        SubstituteGoneError,
      );
    });
  }

  for (const [status, attempts] of [
    [204, 1],
    [206, 1],
    [400, 1],
    [401, 1],
    [408, 5],
    [416, 1],
    [429, 5],
    [500, 5],
    [501, 1],
    [503, 5],
  ] as const) {
    test(`takes status ${status} for a failure, after ${attempts === 1 ? 'one attempt' : `${attempts} attempts`}`, async () => {
      await using cache = await setUp(() => ({ status, headers: { 'retry-after': '7' } }));
      const isTold = (error: unknown): boolean =>
        error instanceof TransferError &&
        error.status === status &&
        error.transient === attempts > 1 &&
        error.retryAfter === (attempts > 1 ? 7_000 : undefined) &&
        error.message.includes(cache.server.url);
      await assert.rejects(cache.transport.getFile('small', 5), isTold);
      await assert.rejects(
        cache.transport.streamFile('large', () => {}),
        isTold,
      );
      const names = ['small', 'large'].flatMap((name) => Array<string>(attempts).fill(name));
      assert.deepEqual(cache.server.requests, names);
    });
  }

  test('does not read the body of a failure to its end', async () => {
    const endless = Buffer.alloc(64 * 1024 * 1024);
    const settings = { filetransferRetryAttempts: 1 };
    await using cache = await setUp(() => ({ status: 500, body: endless, chunkSize: 64 * 1024 }), settings);
    await assert.rejects(cache.transport.getFile('small', 5), TransferError);
    assert.equal(cache.server.connections, 1);
  });

  test('stops at the size that a small file may have', async () => {
    await using cache = await setUp();
    await assert.rejects(
      cache.transport.getFile('large', 1_000),
      /'large' of binary cache .* has more than 1000 bytes/,
    );
  });

  for (const chunkSize of [undefined, 1_000]) {
    test(`notices a response that ends early${chunkSize === undefined ? '' : ', without a length'}`, async () => {
      await using cache = await setUp(() => ({ truncate: 100_000, ...(chunkSize !== undefined && { chunkSize }) }));
      await assert.rejects(
        cache.transport.streamFile('large', () => {}),
        (error) => {
          return error instanceof TransferError && error.message.includes(`${cache.server.url}/large`);
        },
      );
    });
  }

  test('waits for the promises of the sink', async () => {
    await using cache = await setUp();
    const chunks: Buffer[] = [];
    let busy = false;
    await cache.transport.streamFile('large', async (chunk) => {
      assert.ok(!busy);
      busy = true;
      await new Promise(setImmediate);
      chunks.push(Buffer.from(chunk));
      busy = false;
    });
    assert.ok(Buffer.concat(chunks).equals(LARGE));
  });

  test('passes on the errors of the sink, and is of use after them', async () => {
    await using cache = await setUp();
    const failure = new Error('disk full');
    const throwing = (): void => {
      throw failure;
    };
    await assert.rejects(cache.transport.streamFile('large', throwing), failure);
    await assert.rejects(
      cache.transport.streamFile('large', () => Promise.reject(failure)),
      failure,
    );
    assert.equal(text(await cache.transport.getFile('small', 5)), 'hello');
  });

  for (const [encoding, encode] of [
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const) {
    test(`undoes the content encoding ${encoding}, within bounds`, async () => {
      const headers = { 'content-encoding': encoding };
      await using cache = await setUp((name) => ({
        headers,
        body:
          name === 'bomb'
            ? encode(Buffer.alloc(50_000_000))
            : encode(HELLO).subarray(0, name === 'cut' ? -1 : undefined),
      }));
      assert.equal(text(await cache.transport.getFile('small', 5)), 'hello');
      assert.equal((await collect((sink) => cache.transport.streamFile('small', sink))).toString(), 'hello');
      await assert.rejects(cache.transport.getFile('bomb', 1_000), TransferError);
      await assert.rejects(cache.transport.getFile('cut', 1_000), FormatError);
    });
  }

  test('keeps what a decoder writes over', async () => {
    await using cache = await setUp(() => ({ headers: { 'content-encoding': 'gzip' }, body: gzipSync(LARGE) }));
    assert.deepEqual(await cache.transport.getFile('large', LARGE.length), LARGE);
  });

  test('rejects a content encoding it does not know', async () => {
    await using cache = await setUp(() => ({ headers: { 'content-encoding': 'gzip, br' } }));
    await assert.rejects(cache.transport.getFile('small', 5), /unknown encoding 'gzip, br'/);
  });

  describe('redirected', () => {
    test('follows, to relative places and to other hosts', async () => {
      await using target = await setUp();
      await using cache = await setUp((name) => {
        if (name === 'a') return { status: 302, headers: { location: '/b' } };
        if (name === 'b') return { status: 307, headers: { location: `${target.server.url}/small` } };
        return undefined;
      });
      assert.equal(text(await cache.transport.getFile('a', 5)), 'hello');
      assert.deepEqual(cache.server.requests, ['a', 'b']);
    });

    test('follows ten times and no more', async () => {
      await using cache = await setUp((name) => {
        const left = Number(name);
        return left === 0 ? { body: HELLO } : { status: 301, headers: { location: String(left - 1) } };
      });
      assert.equal(text(await cache.transport.getFile('10', 5)), 'hello');
      await assert.rejects(cache.transport.getFile('11', 5), /redirects more than 10 times/);
    });

    for (const location of ['file:///etc/passwd', 'http://', '']) {
      test(`does not follow to '${location}'`, async () => {
        await using cache = await setUp(() => ({ status: 302, headers: { location } }));
        await assert.rejects(cache.transport.getFile('small', 5), /is no URL to fetch from/);
      });
    }
  });

  test('takes a whole URL for a name, but only of HTTP', async () => {
    await using target = await setUp();
    await using cache = await setUp();
    assert.equal(text(await cache.transport.getFile(`${target.server.url}/small`, 5)), 'hello');
    await assert.rejects(cache.transport.getFile('file:///etc/passwd', 5), FormatError);
    await assert.rejects(cache.transport.getFile('http://', 5), FormatError);
  });

  test('sends the query of a name', async () => {
    await using cache = await setUp((name) => (name === 'nar/x.nar?hash=y' ? { body: HELLO } : undefined));
    assert.equal(text(await cache.transport.getFile('nar/x.nar?hash=y', 5)), 'hello');
  });

  test('stays below the path of the cache', async () => {
    await using cache = await setUp();
    for (const path of ['/some/cache', '/some/cache/']) {
      await using transport = new HttpTransport(cache.server.url + path, makeSettings());
      await transport.getFile('small', 5);
    }
    assert.deepEqual(cache.server.requests, ['some/cache/small', 'some/cache/small']);
  });

  test('shows user name and password to the cache, but to no other host and in no message', async () => {
    const seen: (string | undefined)[] = [];
    const see: Misbehave = (_, { headers }) => {
      seen.push(headers.authorization);
      return { status: 501 };
    };
    await using other = await setUp(see);
    await using cache = await setUp((name, request) => {
      const answer = see(name, request);
      return name === 'moved'
        ? { status: 302, headers: { location: `${other.server.url}/x?signature=s3cret` } }
        : answer;
    });
    await using transport = new HttpTransport(cache.server.url.replace('//', '//us%40er:s3cret@'), makeSettings());
    const isDiscreet = (error: unknown): boolean =>
      error instanceof TransferError && !/s3cret|us.+er:/.test(error.message);
    await assert.rejects(transport.getFile('small', 5), isDiscreet);
    await assert.rejects(transport.getFile('moved', 5), isDiscreet);
    const expected = `Basic ${Buffer.from('us@er:s3cret').toString('base64')}`;
    assert.deepEqual(seen, [expected, expected, undefined]);
    assert.equal(transport.uri, cache.server.url);
  });

  describe('that gets no answer', () => {
    test('gives up when it is told to', async () => {
      await using cache = await setUp(() => ({ after: new Promise(() => {}) }), { httpConnections: 1 });
      const reason = new Error('not needed any more');
      const abort = new AbortController();
      const { signal } = abort;
      // The second one waits for a connection.
      const requests = [
        cache.transport.getFile('a', 5, { signal }),
        cache.transport.streamFile('b', () => {}, { signal }),
      ];
      abort.abort(reason);
      for (const request of requests) await assert.rejects(request, reason);
      await assert.rejects(cache.transport.getFile('c', 5, { signal }), reason);
    });

    test('gives up in the middle of a body when it is told to', async () => {
      await using cache = await setUp();
      const reason = new Error('not needed any more');
      const abort = new AbortController();
      const request = cache.transport.streamFile('large', () => abort.abort(reason), { signal: abort.signal });
      await assert.rejects(request, reason);
      assert.equal(text(await cache.transport.getFile('small', 5)), 'hello');
    });

    test('names the URL of a host that is not there', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      server.close();
      await once(server, 'close');
      await using transport = new HttpTransport(`http://127.0.0.1:${port}`, makeSettings(), { wait });
      await assert.rejects(transport.getFile('x', 5), (error) => {
        return (
          error instanceof TransferError &&
          error.message.startsWith(`cannot fetch 'http://127.0.0.1:${port}/x': connect ECONNREFUSED`)
        );
      });
    });
  });
});
