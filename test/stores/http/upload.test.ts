import assert from 'node:assert/strict';
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TransferError } from '../../../src/errors.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import type { PutOptions } from '../../../src/stores/cache-transport.ts';
import { HttpTransport } from '../../../src/stores/http/transport.ts';
import { type FaultServer, serveFaults } from '../../support/fault-server.ts';
import type { FaultPlan } from '../../support/faults.ts';
import { bytes } from '../../support/seeded.ts';

const LARGE = Buffer.from(bytes(3_000_000, { seed: 9 }));

interface SetUp extends AsyncDisposable {
  readonly dir: string;
  readonly server: FaultServer;
  readonly transport: HttpTransport;
  /** The delays between attempts. */
  readonly waits: number[];
  put(name: string, contents: Uint8Array, options?: PutOptions): Promise<void>;
  /** What was asked, as `METHOD name`. */
  asked(): string[];
}

async function setUp(plan?: FaultPlan, settings: Partial<Settings> = {}): Promise<SetUp> {
  await using resources = new AsyncDisposableStack();
  const { path: dir } = resources.use(await mkdtempDisposable(join(tmpdir(), 'sluice-test-')));
  const server = resources.use(await serveFaults(dir, plan));
  const waits: number[] = [];
  const wait = async (milliseconds: number): Promise<void> => void waits.push(milliseconds);
  const transport = resources.use(new HttpTransport(server.url, makeSettings(settings), { wait }));
  const held = resources.move();
  return {
    dir,
    server,
    transport,
    waits,
    put: (name, contents, options) =>
      transport.putFile(async (sink) => {
        for (let start = 0; start < contents.length; start += 100_000) {
          await sink(contents.subarray(start, start + 100_000));
        }
        return name;
      }, options),
    asked: () => server.requests.map(({ method, name }) => `${method} ${name}`),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

describe('an upload over HTTP', () => {
  for (const [what, contents] of [
    ['an empty file', Buffer.alloc(0)],
    ['a small file', Buffer.from('hello')],
    ['a large file', LARGE],
  ] as const) {
    test(`brings ${what}, with its length`, async () => {
      await using cache = await setUp();
      let uploaded = 0;
      const onUpload = (count: number): void => {
        uploaded += count;
      };
      await cache.put('nar/x.nar', contents, { onUpload });
      assert.ok(contents.equals(await readFile(join(cache.dir, 'nar/x.nar'))));
      assert.equal(cache.server.requests[0]!.headers['content-length'], String(contents.length));
      assert.equal(cache.server.requests[0]!.headers['transfer-encoding'], undefined);
      assert.equal(uploaded, contents.length);
    });
  }

  test('says what kind of file it is, as Nix does', async () => {
    await using cache = await setUp();
    for (const name of ['nix-cache-info', 'x.narinfo', 'nar/x.nar.xz']) await cache.put(name, Buffer.from('x'));
    assert.deepEqual(
      cache.server.requests.map(({ headers }) => headers['content-type']),
      ['text/x-nix-cache-info', 'text/x-nix-narinfo', 'application/x-nix-nar'],
    );
  });

  test('is left out where the file is there and as good', async () => {
    await using cache = await setUp();
    await writeFile(join(cache.dir, 'x'), 'there');
    await cache.put('x', Buffer.from('other'), { unlessExists: true });
    await cache.put('y', Buffer.from('other'), { unlessExists: true });
    assert.deepEqual(cache.asked(), ['HEAD x', 'HEAD y', 'PUT y']);
    assert.equal(await readFile(join(cache.dir, 'x'), 'utf8'), 'there');
  });

  test('uses connections again, also after a question', async () => {
    await using cache = await setUp();
    for (let count = 0; count < 5; count++) await cache.put('x', Buffer.from('x'), { unlessExists: true });
    assert.ok(cache.server.connections <= 2); // a request may come before undici has seen that the last one is over
  });

  test('takes the place of a file that is there', async () => {
    await using cache = await setUp();
    await writeFile(join(cache.dir, 'x'), 'there');
    await cache.put('x', Buffer.from('other'));
    assert.equal(await readFile(join(cache.dir, 'x'), 'utf8'), 'other');
  });

  for (const [what, fault] of [
    ['status 500', { kind: 'status', status: 500 }],
    ['status 503', { kind: 'status', status: 503 }],
    ['status 429', { kind: 'status', status: 429 }],
    ['a reset', { kind: 'reset' }],
    ['a connection that ends', { kind: 'close' }],
  ] as const) {
    test(`is made again after ${what}`, async () => {
      await using cache = await setUp(({ attempt, method }) => (method === 'PUT' && attempt <= 2 ? fault : undefined));
      const codes: string[] = [];
      await cache.put('nar/x', LARGE, { onRetry: ({ code }) => void codes.push(code) });
      assert.ok(LARGE.equals(await readFile(join(cache.dir, 'nar/x'))));
      assert.deepEqual(cache.asked(), ['PUT nar/x', 'PUT nar/x', 'PUT nar/x']);
      assert.deepEqual(codes, ['ERR_TRANSFER', 'ERR_TRANSFER']);
      assert.equal(cache.waits.length, 2);
    });
  }

  test('waits for as long as the server asked', async () => {
    await using cache = await setUp(({ attempt }) =>
      attempt === 1 ? { kind: 'status', status: 503, headers: { 'retry-after': '7' } } : undefined,
    );
    await cache.put('x', Buffer.from('x'));
    assert.deepEqual(cache.waits, [7_000]);
  });

  test('is given up after as many attempts as the setting says', async () => {
    await using cache = await setUp(() => ({ kind: 'status', status: 500 }), { filetransferRetryAttempts: 3 });
    await assert.rejects(
      cache.put('x', Buffer.from('x')),
      (error) => error instanceof TransferError && error.status === 500 && error.transient,
    );
    assert.equal(cache.server.requests.length, 3);
  });

  for (const [status, hint] of [
    [401, /user name and password/],
    [403, /lets nobody write/],
    [404, /no uploads at this URL/],
    [405, /takes no uploads/],
    [409, /makes no directories/],
    [413, /client_max_body_size/],
    [501, /takes no uploads/],
  ] as const) {
    test(`fails at once where the answer is ${status}, and says why`, async () => {
      await using cache = await setUp(() => ({ kind: 'status', status }));
      await assert.rejects(
        cache.put('x', Buffer.from('x')),
        (error) => error instanceof TransferError && error.status === status && hint.test(error.hint ?? ''),
      );
      assert.equal(cache.server.requests.length, 1);
    });
  }

  test('follows redirects with all of the file', async () => {
    await using cache = await setUp(({ name }) =>
      name === 'nar/x' ? { kind: 'redirect', to: '/elsewhere', status: 307 } : undefined,
    );
    await cache.put('nar/x', LARGE);
    assert.ok(LARGE.equals(await readFile(join(cache.dir, 'elsewhere'))));
  });

  test('does not follow redirects for ever, nor those that mean something else', async () => {
    await using circle = await setUp(() => ({ kind: 'redirect', to: '/x', status: 308 }));
    await assert.rejects(circle.put('x', Buffer.from('x')), /redirects more than 10 times/);
    await using other = await setUp(() => ({ kind: 'redirect', to: '/y', status: 303 }));
    await assert.rejects(other.put('x', Buffer.from('x')), /status 303/);
    assert.deepEqual(other.asked(), ['PUT x']);
  });

  for (const status of [401, 403, 405, 501]) {
    test(`is tried where the question whether the file is there is answered with ${status}`, async () => {
      await using cache = await setUp(({ method }) => (method === 'HEAD' ? { kind: 'status', status } : undefined));
      await cache.put('x', Buffer.from('x'), { unlessExists: true });
      assert.deepEqual(cache.asked(), ['HEAD x', 'PUT x']);
    });
  }

  test('fails where it cannot be told whether the file is there', async () => {
    await using cache = await setUp(() => ({ kind: 'status', status: 502 }), { filetransferRetryAttempts: 2 });
    await assert.rejects(cache.put('x', Buffer.from('x'), { unlessExists: true }), TransferError);
    assert.deepEqual(cache.asked(), ['HEAD x', 'HEAD x']);
  });

  test('sends nothing where what pours it fails', async () => {
    await using cache = await setUp();
    const pour = async (sink: (chunk: Uint8Array) => void | Promise<void>): Promise<string> => {
      await sink(LARGE);
      throw new Error('no more');
    };
    await assert.rejects(cache.transport.putFile(pour), /no more/);
    assert.deepEqual(cache.asked(), []);
  });

  test('stops when its signal aborts, while it is sent and between attempts', async () => {
    for (const kind of ['hang', 'reset'] as const) {
      const stop = new AbortController();
      await using cache = await setUp(() => {
        setImmediate(() => stop.abort(new Error('stop')));
        return { kind };
      });
      await assert.rejects(cache.put('x', LARGE, { signal: stop.signal }), /stop/);
    }
  });

  test('is given up where nothing moves for too long', async () => {
    await using cache = await setUp(() => ({ kind: 'hang' }), {
      stalledDownloadTimeout: 0.2,
      filetransferRetryAttempts: 1,
    });
    await assert.rejects(cache.put('x', LARGE), /cannot upload '.*\/x': .*stalled-download-timeout/);
  });

  test('does not show what it sends as password', async () => {
    await using cache = await setUp(() => ({ kind: 'status', status: 403 }));
    await using transport = new HttpTransport(cache.server.url.replace('//', '//me:geheim@'), makeSettings());
    await assert.rejects(
      transport.putFile(async () => 'x'),
      (error: Error) => !`${error.message}${error.stack}`.includes('geheim'),
    );
    const { authorization } = cache.server.requests[0]!.headers;
    assert.equal(authorization, `Basic ${Buffer.from('me:geheim').toString('base64')}`);
  });
});
