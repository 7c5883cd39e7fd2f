import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { NarInfo } from '../../src/formats/narinfo.ts';
import type { Reply } from '../../src/pool/messages.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore, openStoreOnce } from '../../src/stores/open-store.ts';
import substitute from '../../workers/substitute.ts';
import { type HttpCache, type Misbehaviour, serveCache } from '../support/http-cache.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { bytes } from '../support/seeded.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const CONTENTS = Buffer.from(bytes(1_000_000, { seed: 1 }));
const OBJECT = makeObject('x', file(CONTENTS.toString('latin1')));
const SETTINGS = makeSettings({ filetransferRetryAttempts: 1 });

interface Place {
  readonly cache: HttpCache;
  /** The compressed file. */
  readonly nar: Buffer;
  readonly partial: string;
  readonly destination: string;
  run(): Promise<Reply<'substitute'>>;
}

/** A cache behind HTTP, and a job that substitutes from it. */
async function setUp(resources: AsyncDisposableStack, misbehave?: (nar: Uint8Array) => Misbehaviour): Promise<Place> {
  const dir = await temporaryDirectory(resources);
  const writer = resources.use(await openStore(`file://${dir}/cache?compression=zstd`, SETTINGS));
  await add(writer, OBJECT);
  let nar: Buffer | undefined;
  const cache = resources.use(
    await serveCache(join(dir, 'cache'), (name) => (name.startsWith('nar/') ? misbehave?.(nar!) : undefined)),
  );
  const source = resources.use(await openStoreOnce(cache.url, SETTINGS));
  const info = (await source.queryPathInfo(OBJECT.info.path)) as NarInfo;
  nar = await readFile(join(dir, 'cache', info.url));
  const request = { from: cache.url, info, destination: join(dir, 'unpacked'), partial: join(dir, 'part') };
  const context = {
    settings: SETTINGS,
    signal: new AbortController().signal,
    progress: { addDownloaded: () => {}, addNar: () => {}, addUploaded: () => {} },
    tell: () => {},
    downloadLimit: undefined,
  };
  return {
    ...request,
    cache,
    nar,
    run: () => substitute(request, context),
  };
}

/** As many bytes, all of them wrong. */
const zeros = ({ length }: Uint8Array): Misbehaviour => ({ body: Buffer.alloc(length) });

/** How often the NAR was asked for. */
const narRequests = ({ requests }: HttpCache): number => requests.filter((name) => name.startsWith('nar/')).length;

describe('the substitution of a path', () => {
  test('unpacks it, and leaves no part of the download', async () => {
    await using resources = new AsyncDisposableStack();
    const { run, destination, partial, nar } = await setUp(resources);
    const { downloadedBytes } = await run();
    assert.equal(downloadedBytes, nar.length);
    assert.deepEqual(await readFile(destination), CONTENTS);
    assert.equal(existsSync(partial), false);
  });

  test('takes what is there already from the part, and not from the network', async () => {
    await using resources = new AsyncDisposableStack();
    const { run, destination, partial, nar, cache } = await setUp(resources);
    writeFileSync(partial, nar);
    const { downloadedBytes } = await run();
    assert.equal(downloadedBytes, 0);
    assert.equal(narRequests(cache), 0);
    assert.deepEqual(await readFile(destination), CONTENTS);
  });

  for (const [what, spoil] of [
    ['that does not decompress', (nar: Buffer) => nar.fill(0xff, 400_000, 500_000)],
    ['with zeros at its end, as after a power cut', (nar: Buffer) => nar.fill(0, 999_000)],
    ['that decompresses to other contents', (nar: Buffer) => nar.fill(nar[500_000]! ^ 1, 500_000, 500_001)],
    ['that is longer than the file', (nar: Buffer) => Buffer.concat([nar, Buffer.from('more')])],
  ] as const) {
    test(`begins anew where it went on with a part ${what}`, async () => {
      await using resources = new AsyncDisposableStack();
      const { run, destination, partial, nar, cache } = await setUp(resources);
      writeFileSync(partial, spoil(Buffer.from(nar)));
      await run();
      assert.equal(narRequests(cache), 1);
      assert.deepEqual(await readFile(destination), CONTENTS);
      assert.equal(existsSync(partial), false);
    });
  }

  test('begins anew only once', async () => {
    await using resources = new AsyncDisposableStack();
    const { run, destination, partial, nar, cache } = await setUp(resources, zeros);
    writeFileSync(partial, Buffer.from(nar).fill(0, 999_000));
    await assert.rejects(run(), { code: 'ERR_FORMAT' });
    assert.equal(narRequests(cache), 1);
    assert.equal(existsSync(destination), false);
    assert.equal(existsSync(partial), false);
  });

  test('does not begin anew where no part was there', async () => {
    await using resources = new AsyncDisposableStack();
    const { run, cache } = await setUp(resources, zeros);
    await assert.rejects(run(), { code: 'ERR_FORMAT' });
    assert.equal(narRequests(cache), 1);
  });

  test('leaves the part for later where the transfer breaks off', async () => {
    await using resources = new AsyncDisposableStack();
    const { run, destination, partial, nar } = await setUp(resources, () => ({ truncate: 600_000 }));
    await assert.rejects(run(), { code: 'ERR_TRANSFER' });
    assert.equal(existsSync(destination), false);
    const { size } = await stat(partial);
    assert.ok(size > 0 && size <= 600_000);
    assert.deepEqual(await readFile(partial), nar.subarray(0, size));
  });
});
