import assert from 'node:assert/strict';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { HashMismatchError, type SluiceError, TimedOutError, TransferError } from '../../../src/errors.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import type { StreamOptions } from '../../../src/stores/cache-transport.ts';
import { type HttpOptions, HttpTransport } from '../../../src/stores/http/transport.ts';
import { type FaultServer, serveFaults } from '../../support/fault-server.ts';
import type { Fault, FaultPlan } from '../../support/faults.ts';
import { bytes } from '../../support/seeded.ts';
import { collect } from '../../support/store-objects.ts';

const SIZE = 300_000;
const LARGE = Buffer.from(bytes(SIZE, { seed: 9 }));

interface SetUp extends AsyncDisposable {
  readonly server: FaultServer;
  readonly transport: HttpTransport;
  readonly stream: (options?: StreamOptions) => Promise<Buffer>;
  /** Of each request: what it asked for. */
  readonly ranges: () => (string | undefined)[];
}

/** A server with the files `small` and `large`, and a transport to it that does not wait between attempts. */
async function setUp(plan: FaultPlan, settings: Partial<Settings> = {}, options: HttpOptions = {}): Promise<SetUp> {
  await using resources = new AsyncDisposableStack();
  const { path } = resources.use(await mkdtempDisposable(join(tmpdir(), 'sluice-test-')));
  await Promise.all([writeFile(join(path, 'small'), 'hello'), writeFile(join(path, 'large'), LARGE)]);
  const server = resources.use(await serveFaults(path, plan));
  const given = { wait: async () => {}, ...options };
  const transport = resources.use(new HttpTransport(server.url, makeSettings(settings), given));
  const held = resources.move();
  return {
    server,
    transport,
    stream: (options) => collect((sink) => transport.streamFile('large', sink, options)),
    ranges: () => server.requests.map(({ headers }) => headers.range),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Different faults for the first attempts at a file, and none for the next. */
function inTurn(...faults: (Fault | undefined)[]): FaultPlan {
  return ({ attempt }) => faults[attempt - 1];
}

describe('a file of which the rest does not come', () => {
  for (const kind of ['reset', 'close'] as const) {
    test(`is asked for from there on after a ${kind}, and comes as one`, async () => {
      await using cache = await setUp(inTurn({ kind, after: 100_000 }, { kind, after: 50_000 }));
      const told: SluiceError[] = [];
      let downloaded = 0;
      const poured = await cache.stream({
        size: SIZE,
        onRetry: (error) => void told.push(error),
        onDownload: (count) => {
          downloaded += count;
        },
      });
      assert.ok(poured.equals(LARGE));
      // A RST may overtake what was sent before it.
      const [first, second, third] = cache
        .ranges()
        .map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')![1]));
      assert.equal(first, 0);
      assert.ok(0 < second! && second! <= 100_000 && second! < third! && third! <= second! + 50_000);
      assert.equal(downloaded, SIZE);
      assert.ok(told.length === 2 && told.every((error) => error instanceof TransferError && error.transient));
    });
  }

  test('is asked for only in the version that has come so far', async () => {
    await using cache = await setUp(inTurn({ kind: 'close', after: 100_000 }));
    await cache.stream();
    const conditions = cache.server.requests.map(({ headers }) => headers['if-range']);
    assert.equal(conditions[0], undefined);
    assert.match(String(conditions[1]), /^"[0-9a-f-]+"$/);
  });

  test('comes from a server that knows no ranges: what has come before is passed over', async () => {
    await using cache = await setUp(inTurn({ kind: 'close', after: 100_000 }, { kind: 'ignoreRange' }));
    assert.ok((await cache.stream()).equals(LARGE));
    assert.equal(cache.server.sent(), 400_000);
  });

  test('comes from a server that answers with other ranges: then all is asked for', async () => {
    await using cache = await setUp(inTurn({ kind: 'close', after: 100_000 }, { kind: 'wrongRange', offset: 7 }));
    assert.ok((await cache.stream()).equals(LARGE));
    assert.deepEqual(cache.ranges(), [undefined, 'bytes=100000-', undefined]);
  });

  test('is asked for as often as it gets longer', async () => {
    await using cache = await setUp(({ attempt }) => (attempt < 30 ? { kind: 'close', after: 10_000 } : undefined));
    assert.ok((await cache.stream()).equals(LARGE));
    assert.equal(cache.server.sent(), SIZE);
    assert.equal(cache.server.requests.length, 30);
  });

  test('fails after as many attempts as the setting allows without a further byte', async () => {
    const plan: FaultPlan = ({ attempt }) => ({ kind: 'close', after: attempt === 1 ? 100_000 : 0 });
    await using cache = await setUp(plan, { filetransferRetryAttempts: 3 });
    await assert.rejects(cache.stream(), TransferError);
    assert.equal(cache.server.requests.length, 3);
  });

  test('is not asked for where another attempt is not wanted', async () => {
    await using cache = await setUp(inTurn({ kind: 'close', after: 100_000 }), { filetransferRetryAttempts: 1 });
    await assert.rejects(cache.stream(), TransferError);
    assert.equal(cache.server.requests.length, 1);
  });

  test('is not asked for when the file has become another', async () => {
    await using cache = await setUp(inTurn({ kind: 'close', after: 100_000 }, { kind: 'replace', body: 'new' }));
    await assert.rejects(cache.stream(), HashMismatchError);
    assert.equal(cache.server.requests.length, 2);
  });
});

test('a small file of which a part has come is asked for as a whole', async () => {
  await using cache = await setUp(inTurn({ kind: 'close', after: 3 }));
  assert.equal(Buffer.from((await cache.transport.getFile('small', 5))!).toString(), 'hello');
  assert.deepEqual(cache.ranges(), [undefined, undefined]);
});

describe('a file of which the beginning is there', () => {
  test('is asked for from there on', async () => {
    await using cache = await setUp(() => undefined);
    assert.ok((await cache.stream({ offset: 123_456, size: SIZE })).equals(LARGE.subarray(123_456)));
    assert.deepEqual([cache.ranges(), cache.server.sent()], [['bytes=123456-'], SIZE - 123_456]);
  });

  test('comes from a server that knows no ranges', async () => {
    await using cache = await setUp(() => ({ kind: 'ignoreRange' }));
    assert.ok((await cache.stream({ offset: 123_456 })).equals(LARGE.subarray(123_456)));
  });

  test('comes encoded, although nobody asked for that', async () => {
    await using cache = await setUp(() => ({ kind: 'encode', encoding: 'zstd' }));
    assert.ok((await cache.stream({ offset: 123_456 })).equals(LARGE.subarray(123_456)));
  });

  test('is not asked for where there is all of it', async () => {
    await using cache = await setUp(() => undefined);
    assert.equal((await cache.stream({ offset: SIZE, size: SIZE })).length, 0);
    assert.equal(cache.server.requests.length, 0);
  });

  test('is complete where the server has no more', async () => {
    await using cache = await setUp(() => undefined);
    assert.equal((await cache.stream({ offset: SIZE })).length, 0);
  });

  test('fails where the server has less', async () => {
    await using cache = await setUp(() => ({ kind: 'replace', body: 'new' }));
    await assert.rejects(cache.stream({ offset: 123_456 }), /wanted at least 123456 bytes, got 3 bytes/);
    await using deaf = await setUp(() => ({ kind: 'chunked' }));
    const answer = deaf.transport.streamFile('small', () => assert.fail('there is nothing new'), { offset: 7 });
    await assert.rejects(answer, /wanted at least 7 bytes, got 5 bytes/);
  });
});

for (const by of [-1, 1]) {
  test(`a file of another size than the one expected fails at once (${by})`, async () => {
    await using cache = await setUp(() => ({ kind: 'length', by }));
    await assert.rejects(cache.stream({ size: SIZE }), (error) => {
      return error instanceof HashMismatchError && !error.transient && error.message.includes(`${SIZE + by} bytes`);
    });
    assert.equal(cache.server.requests.length, 1);
  });
}

test('failures of the sink are not those of the cache', async () => {
  await using cache = await setUp(() => undefined);
  const failure = new TransferError('the target is busy', { transient: true });
  for (const sink of [() => Promise.reject(failure), () => assert.fail(failure)]) {
    await assert.rejects(cache.transport.streamFile('large', sink), failure);
  }
  assert.equal(cache.server.requests.length, 2);
});

describe('where another cache could be asked', () => {
  const faults: Fault[] = [
    { kind: 'reset' },
    { kind: 'close' },
    { kind: 'close', after: 0 },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 429, headers: { 'retry-after': '3600' } },
  ];
  for (const fault of faults) {
    test(`${JSON.stringify(fault)} ends a request at once`, async () => {
      await using cache = await setUp(() => fault);
      const wait = (): never => assert.fail('nothing is waited for');
      await using transport = new HttpTransport(cache.server.url, makeSettings(), { wait });
      const isTransient = (error: unknown): boolean => error instanceof TransferError && error.transient;
      await assert.rejects(transport.getFile('small', 5, { impatient: true }), isTransient);
      await assert.rejects(
        transport.streamFile('large', () => {}, { impatient: true }),
        isTransient,
      );
      assert.deepEqual(
        cache.server.requests.map(({ name }) => name),
        ['small', 'large'],
      );
    });
  }

  test('a file of which a part has come is gone on with', async () => {
    await using cache = await setUp(inTurn({ kind: 'close', after: 100_000 }, { kind: 'status', status: 503 }));
    assert.ok((await cache.stream({ impatient: true })).equals(LARGE));
    assert.equal(cache.server.sent(), SIZE);
  });

  test('a small file of which a part has come is not', async () => {
    await using cache = await setUp(inTurn({ kind: 'close', after: 3 }));
    await assert.rejects(cache.transport.getFile('small', 5, { impatient: true }), TransferError);
  });
});

describe('a server that hangs', () => {
  const SETTINGS = { connectTimeout: 16, narinfoTimeout: 32, stalledDownloadTimeout: 320 };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  /** Lets time pass from where the server has stopped. */
  async function secondsUntilItEnds(
    t: TestContext,
    after: number | undefined,
    request: (transport: HttpTransport, reached: () => void) => Promise<unknown>,
  ): Promise<[seconds: number, error: unknown]> {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { promise, resolve } = Promise.withResolvers<void>();
    const plan: FaultPlan = () => {
      if (after === undefined) setImmediate(resolve);
      return { kind: 'hang', ...(after !== undefined && { after }) };
    };
    await using cache = await setUp(plan, { ...SETTINGS, filetransferRetryAttempts: 1 });
    let error: unknown;
    const ended = request(cache.transport, resolve).catch((reason) => {
      error = reason;
    });
    await promise;
    let seconds = 0;
    for (; error === undefined && seconds < 1_000; seconds++) {
      t.mock.timers.tick(1_000);
      await turn();
    }
    await ended;
    return [seconds, error];
  }

  for (const [what, after, impatient, expected, setting] of [
    ['before it answers', undefined, false, 320, 'stalled-download-timeout'],
    ['before it answers, where another cache could be asked', undefined, true, 16, 'connect-timeout'],
    ['in a body', 1_000, true, 16, 'connect-timeout'],
  ] as const) {
    test(`${what} is left after the time of setting ${setting}`, async (t) => {
      const [seconds, error] = await secondsUntilItEnds(t, after, (transport, reached) =>
        transport.streamFile('large', () => reached(), { impatient }),
      );
      assert.ok(error instanceof TimedOutError && error.message.includes(`(setting '${setting}')`));
      assert.equal(seconds, expected);
    });
  }

  for (const [impatient, expected, setting] of [
    [false, 32, 'narinfo-timeout'],
    [true, 16, 'connect-timeout'],
  ] as const) {
    test(`with a small file is left after the time of setting ${setting}`, async (t) => {
      const [seconds, error] = await secondsUntilItEnds(t, undefined, (transport) =>
        transport.getFile('small', 5, { impatient }),
      );
      assert.ok(error instanceof TimedOutError && error.message.includes(`(setting '${setting}')`));
      assert.equal(seconds, expected);
    });
  }

  test('is left by those who wait for its connection, too', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { promise, resolve } = Promise.withResolvers<void>();
    const plan: FaultPlan = () => {
      setImmediate(resolve);
      return { kind: 'hang' };
    };
    await using cache = await setUp(plan, { ...SETTINGS, httpConnections: 1 });
    const requests = ['a', 'b', 'c'].map((name) => cache.transport.getFile(name, 5, { impatient: true }));
    const ended = Promise.allSettled(requests);
    await promise;
    t.mock.timers.tick(16_000);
    for (const outcome of await ended) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof TimedOutError);
    }
    assert.ok(cache.server.requests.length <= 2); // the place of the one that was under way is taken
  });

  test('is asked again, and for the rest', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    await using cache = await setUp(inTurn({ kind: 'hang', after: 100_000 }), SETTINGS);
    let received = 0;
    const poured = cache.stream({
      onDownload: (count) => {
        received += count;
        if (received === 100_000) setImmediate(() => t.mock.timers.tick(640_000));
      },
    });
    assert.ok((await poured).equals(LARGE));
    assert.deepEqual(cache.ranges(), [undefined, 'bytes=100000-']);
  });
});

describe('an answer without bounds', () => {
  test('is not taken for a small file', async () => {
    await using cache = await setUp(() => ({ kind: 'flood' }));
    await assert.rejects(cache.transport.getFile('small', 1_000), /has more than 1000 bytes/);
    assert.equal(cache.server.requests.length, 1);
  });

  test('ends in its headers', async () => {
    await using cache = await setUp(() => ({ kind: 'endlessHeaders' }));
    await assert.rejects(cache.transport.getFile('small', 5), (error) => {
      return error instanceof TransferError && !error.transient;
    });
  });
});

test('small files may come encoded, large ones not', async () => {
  await using cache = await setUp(() => undefined);
  await cache.transport.getFile('small', 5);
  await cache.stream();
  const encodings = cache.server.requests.map(({ headers }) => headers['accept-encoding']);
  assert.deepEqual(encodings, ['zstd, br, gzip', 'identity']);
});

test('each attempt is signed, but none at another host', async () => {
  await using other = await setUp(() => undefined);
  const to = `${other.server.url}/small`;
  const plan = inTurn({ kind: 'status', status: 500 }, { kind: 'redirect', to });
  let signed = 0;
  const sign: HttpOptions['sign'] = async ({ method, url, headers }) => {
    assert.deepEqual([method, url.pathname], ['GET', '/small']);
    return { ...headers, 'x-signature': String(++signed) };
  };
  await using cache = await setUp(plan, {}, { sign });
  assert.equal(Buffer.from((await cache.transport.getFile('small', 5))!).toString(), 'hello');
  const signatures = [cache, other].map(({ server }) => server.requests.map(({ headers }) => headers['x-signature']));
  assert.deepEqual(signatures, [['1', '2'], [undefined]]);
});
