import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Provenance } from '../../src/cli/provenance.ts';
import { UsageError } from '../../src/errors.ts';
import { makeScratch } from '../support/scratch.ts';
import { ROUTE, Transfers } from '../support/transfers.ts';

const AT = new Date('2026-01-02T03:04:05.678Z');

async function follow(directory: string) {
  const file = join(directory, 'provenance');
  const provenance = new Provenance(file, () => AT);
  const transfers = new Transfers('https://a');
  provenance.follow(transfers.events, ROUTE);
  const lines = async (): Promise<Record<string, unknown>[]> => {
    const text = await readFile(file, 'utf8');
    assert.ok(text === '' || text.endsWith('\n'));
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { provenance, transfers, lines };
}

test('a path has its line as soon as it is valid', async () => {
  await using scratch = await makeScratch();
  const { provenance, transfers, lines } = await follow(scratch.path);
  const view = transfers.start('a', 100, 40);
  transfers.fail(view, 'https://b');
  const timings = { thread: 1, started: 0, wait: 20.12345, unpack: 500, decode: 200, hash: 100, write: 100 };
  const voucher = { by: 'signature', key: 'b-1' } as const;
  transfers.finish({ ...view, substituter: 'https://b' }, { timings, retries: 2, voucher });
  assert.deepEqual(await lines(), []);
  transfers.register(view);
  assert.deepEqual(await lines(), [
    {
      path: `/nix/store/${'0'.repeat(32)}-a`,
      cache: 'https://b',
      trustedBy: 'signature',
      key: 'b-1',
      narHash: 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
      narSize: 100,
      downloadedBytes: 40,
      timings: { wait: 20.123, unpack: 500, decode: 200, hash: 100, write: 100 },
      retries: 2,
      failures: [
        {
          cache: 'https://a',
          code: 'ERR_TRANSFER',
          message: "cannot fetch 'https://a/nar/1.nar': the connection was closed",
        },
      ],
      at: AT.toISOString(),
    },
  ]);
  transfers.register(view);
  assert.equal((await lines()).length, 1);
  provenance.finish();
});

test('what no key has signed says what it was trusted for', async () => {
  await using scratch = await makeScratch();
  const { provenance, transfers, lines } = await follow(scratch.path);
  const views = (['contentAddress', 'store', 'nothing'] as const).map((by) => {
    const view = transfers.start(by, 100);
    transfers.finish(view, { voucher: { by } });
    return view;
  });
  transfers.register(...views);
  assert.deepEqual(
    (await lines()).map(({ trustedBy, key }) => [trustedBy, key]),
    [
      ['contentAddress', null],
      ['store', null],
      ['nothing', null],
    ],
  );
  provenance.finish();
});

test('what did not become valid has no line, and its failures are not those of a later path', async () => {
  await using scratch = await makeScratch();
  const { provenance, transfers, lines } = await follow(scratch.path);
  const view = transfers.start('a', 100);
  transfers.fail(view, 'https://b');
  transfers.finish(view);
  transfers.events.emit('goalFinished', { path: view.path, result: { state: 'cancelled' } });
  assert.deepEqual(await lines(), []);
  transfers.finish(view);
  transfers.register(view);
  assert.deepEqual((await lines())[0]?.failures, []);
  provenance.finish();
});

test('what was valid before, and is registered by nobody, has no line', async () => {
  await using scratch = await makeScratch();
  const { provenance, transfers, lines } = await follow(scratch.path);
  transfers.register(transfers.view('a', 1, 1));
  assert.deepEqual(await lines(), []);
  provenance.finish();
});

test('a file that is there is begun anew', async () => {
  await using scratch = await makeScratch();
  await writeFile(join(scratch.path, 'provenance'), 'old');
  const { provenance, lines } = await follow(scratch.path);
  assert.deepEqual(await lines(), []);
  provenance.finish();
});

test('a file that cannot be written is refused before anything is done', () => {
  assert.throws(
    () => new Provenance('/no/such/directory/file'),
    (error) => {
      return error instanceof UsageError && /^cannot write provenance '\/no\/such/.test(error.message);
    },
  );
});

test('a full disk is told at the end, and stops nothing before', () => {
  const provenance = new Provenance('/dev/full');
  const transfers = new Transfers();
  provenance.follow(transfers.events, ROUTE);
  for (const name of ['a', 'b']) {
    const view = transfers.start(name, 1);
    transfers.finish(view);
    transfers.register(view);
  }
  assert.throws(() => provenance.finish(), /ENOSPC/);
});
