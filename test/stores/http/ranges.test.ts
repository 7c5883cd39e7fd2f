import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { HashMismatchError, TransferError } from '../../../src/errors.ts';
import { makeSettings } from '../../../src/settings.ts';
import type { StreamOptions } from '../../../src/stores/cache-transport.ts';
import { HttpTransport } from '../../../src/stores/http/transport.ts';
import { type FaultServer, serveFaults } from '../../support/fault-server.ts';
import type { FaultPlan } from '../../support/faults.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { bytes } from '../../support/seeded.ts';
import { collect } from '../../support/store-objects.ts';

const FILE = Buffer.from(bytes(300_000, { seed: 1 }));
const SIZE = FILE.length;

interface Place {
  readonly server: FaultServer;
  fetch(options: StreamOptions): Promise<Buffer>;
}

async function setUp(resources: AsyncDisposableStack, plan?: FaultPlan): Promise<Place> {
  const dir = await temporaryDirectory(resources);
  await writeFile(join(dir, 'x'), FILE);
  const server = resources.use(await serveFaults(dir, plan));
  const options = { wait: async () => {} };
  const transport = resources.use(new HttpTransport(server.url, makeSettings(), options));
  return { server, fetch: (stream) => collect((sink) => transport.streamFile('x', sink, { size: SIZE, ...stream })) };
}

const rangesAsked = ({ requests }: FaultServer): unknown[] => requests.map(({ headers }) => headers.range);

describe('a part of a file over HTTP', () => {
  for (const [what, offset, length] of [
    ['at its beginning', 0, 1_000],
    ['in its middle', 123_456, 50_000],
    ['at its end', SIZE - 10, 10],
    ['that is all of it', 0, SIZE],
  ] as const) {
    test(`${what} is all that is asked for`, async () => {
      await using resources = new AsyncDisposableStack();
      const { server, fetch } = await setUp(resources);
      assert.ok((await fetch({ offset, length })).equals(FILE.subarray(offset, offset + length)));
      assert.deepEqual(rangesAsked(server), [`bytes=${offset}-${offset + length - 1}`]);
    });
  }

  test('that breaks off is gone on with from where it was', async () => {
    await using resources = new AsyncDisposableStack();
    const { server, fetch } = await setUp(resources, (request) =>
      request.attempt === 1 ? { kind: 'close', after: 20_000 } : undefined,
    );
    const part = await fetch({ offset: 100_000, length: 50_000 });
    assert.ok(part.equals(FILE.subarray(100_000, 150_000)));
    assert.deepEqual(rangesAsked(server).at(-1), 'bytes=120000-149999');
  });

  test('is an error where the server has only the whole', async () => {
    await using resources = new AsyncDisposableStack();
    const { server, fetch } = await setUp(resources, () => ({ kind: 'ignoreRange' }));
    await assert.rejects(fetch({ offset: 100_000, length: 1_000 }), (error) => {
      return error instanceof TransferError && !error.transient && /is not served in parts/.test(error.message);
    });
    assert.equal(server.requests.length, 1);
  });

  test('is an error where the file has another size than the others are parts of', async () => {
    await using resources = new AsyncDisposableStack();
    const { fetch } = await setUp(resources);
    await assert.rejects(fetch({ offset: 0, length: 1_000, size: SIZE + 1 }), HashMismatchError);
  });
});
