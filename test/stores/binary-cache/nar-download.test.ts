import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import {
  FormatError,
  HashMismatchError,
  SubstituteGoneError,
  TimedOutError,
  TransferError,
} from '../../../src/errors.ts';
import type { NarInfo } from '../../../src/formats/narinfo.ts';
import { downloadNar } from '../../../src/stores/binary-cache/nar-download.ts';
import type { CacheTransport, StreamOptions } from '../../../src/stores/cache-transport.ts';
import { openPartialFile } from '../../../src/stores/partial-file.ts';
import type { Sink } from '../../../src/stores/store.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { bytes } from '../../support/seeded.ts';
import { collect, makeObject } from '../../support/store-objects.ts';
import { file } from '../../support/trees.ts';

const OBJECT = makeObject('x', file(Buffer.from(bytes(1_500_000, { seed: 1 })).toString('latin1')));
const LARGE_OBJECT = makeObject('large', file('x'.repeat(66 * 1024 * 1024)));
const CHUNK_SIZE = 10_000;
const PATH = '/nix/store/x';

interface Behaviour {
  /** The file, where it is not what it should be. */
  readonly contents?: Uint8Array;
  /** So many bytes come before this happens. */
  readonly failAt?: number;
  readonly failure?: Error;
  readonly isLocal?: boolean;
}

/** A cache in memory that pours its one file from where it is asked to. */
class Transport implements CacheTransport {
  readonly uri = 'fake://cache';
  readonly mayBeNew = false;
  readonly isLocal: boolean;
  /** From where it was asked for bytes, each time. */
  readonly offsets: number[] = [];
  readonly #behaviour: Behaviour & { readonly contents: Uint8Array };

  constructor(behaviour: Behaviour & { readonly contents: Uint8Array }) {
    this.#behaviour = behaviour;
    this.isLocal = behaviour.isLocal ?? false;
  }

  async getFile(): Promise<undefined> {}

  async streamFile(_name: string, sink: Sink, { offset = 0 }: StreamOptions = {}): Promise<void> {
    this.offsets.push(offset);
    const { contents, failAt = contents.length, failure } = this.#behaviour;
    for (let start = offset; start < failAt; start += CHUNK_SIZE) {
      await sink(contents.slice(start, Math.min(start + CHUNK_SIZE, failAt)));
    }
    if (failure !== undefined) throw failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

interface Place extends AsyncDisposable {
  readonly partial: string;
  readonly file: Uint8Array;
  /** What was asked for, and what came. */
  download(behaviour?: Behaviour, signal?: AbortSignal): Promise<{ offsets: number[]; nar: Buffer; error?: unknown }>;
}

async function setUp(compression: 'none' | 'zstd' = 'zstd', { info: pathInfo, nar } = OBJECT): Promise<Place> {
  const resources = new AsyncDisposableStack();
  const partial = join(await temporaryDirectory(resources), 'part');
  const contents = compression === 'zstd' ? zstdCompressSync(nar) : nar;
  const info: NarInfo = { ...pathInfo, url: 'nar/x', compression, fileSize: contents.length };
  return {
    partial,
    file: contents,
    async download(behaviour = {}, signal) {
      const transport = new Transport({ contents, ...behaviour });
      let error: unknown;
      const nar = await collect((sink) =>
        downloadNar(transport, info, PATH, sink, { partial, signal }).catch((failure) => {
          error = failure;
        }),
      );
      return { offsets: transport.offsets, nar, error };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const INTERRUPTIONS = [
  ['a connection that broke', new TransferError('reset', { transient: true }), TransferError],
  ['a server that had no time', new TransferError('busy', { status: 503, transient: true }), TransferError],
  ['a server that said nothing any more', new TimedOutError('silence'), TimedOutError],
  ['a file that went away', new SubstituteGoneError('gone'), SubstituteGoneError],
] as const;

describe('a download with a place for its part', () => {
  for (const compression of ['none', 'zstd'] as const) {
    for (const [what, failure, kind] of INTERRUPTIONS) {
      test(`goes on after ${what}, ${compression}`, async () => {
        await using place = await setUp(compression);
        const first = await place.download({ failAt: 1_234_567, failure });
        assert.ok(first.error instanceof kind);
        assert.deepEqual(readFileSync(place.partial), Buffer.from(place.file.subarray(0, 1_234_567)));

        const second = await place.download();
        assert.deepEqual(second.offsets, [1_234_567]);
        assert.ok(second.nar.equals(OBJECT.nar));
        assert.equal(existsSync(place.partial), false);
      });
    }
  }

  test('asks for nothing where all of it is there', async () => {
    await using place = await setUp();
    writeFileSync(place.partial, place.file);
    const { offsets, nar } = await place.download();
    assert.deepEqual(offsets, []);
    assert.ok(nar.equals(OBJECT.nar));
    assert.equal(existsSync(place.partial), false);
  });

  test('keeps what it has when it is aborted', async () => {
    await using place = await setUp();
    const reason = new Error('enough');
    const { error } = await place.download({ failAt: 500_000, failure: reason }, AbortSignal.abort(reason));
    assert.equal(error, reason);
    assert.equal(readFileSync(place.partial).length, 500_000);
  });

  test('keeps nothing of what did not decompress', async () => {
    await using place = await setUp();
    const damaged = Buffer.from(place.file);
    damaged.fill(0xff, 700_000, 800_000);
    const { error } = await place.download({ contents: damaged });
    assert.ok(error instanceof FormatError);
    assert.equal(existsSync(place.partial), false);
  });

  test('keeps nothing of a file that is too long or too short', async () => {
    await using place = await setUp();
    for (const contents of [Buffer.concat([place.file, Buffer.from('x')]), place.file.subarray(0, -1)]) {
      assert.ok((await place.download({ contents })).error instanceof HashMismatchError);
      assert.equal(existsSync(place.partial), false);
    }
  });

  test('drops a part that is longer than the file', async () => {
    await using place = await setUp();
    writeFileSync(place.partial, Buffer.concat([place.file, Buffer.from('x')]));
    const { error, offsets } = await place.download();
    assert.ok(error instanceof HashMismatchError);
    assert.deepEqual(offsets, []);
    assert.equal(existsSync(place.partial), false);
  });

  test('drops a part that does not decompress, without asking for the rest', async () => {
    await using place = await setUp();
    writeFileSync(place.partial, 'no zstd at all');
    const { error, offsets } = await place.download();
    assert.ok(error instanceof FormatError);
    assert.deepEqual(offsets, []);
    assert.equal(existsSync(place.partial), false);
  });

  test('drops a part from the end of which the server has nothing', async () => {
    await using place = await setUp();
    writeFileSync(place.partial, place.file.subarray(0, 1_000_000));
    const failure = new TransferError('no such range', { status: 416 });
    const { error } = await place.download({ failAt: 0, failure });
    assert.ok(error instanceof TransferError);
    assert.equal(existsSync(place.partial), false);
  });

  test('leaves the part alone that another download has', async () => {
    await using place = await setUp();
    writeFileSync(place.partial, 'of somebody else');
    using other = openPartialFile(place.partial);
    assert.ok(other);
    const { nar, offsets } = await place.download();
    assert.deepEqual(offsets, [0]);
    assert.ok(nar.equals(OBJECT.nar));
    assert.equal(readFileSync(place.partial, 'utf8'), 'of somebody else');
  });

  test('keeps nothing any more of a file that is there soon', async () => {
    await using place = await setUp('none', LARGE_OBJECT);
    const failure = new TransferError('reset', { transient: true });
    const size = place.file.length;
    assert.ok((await place.download({ failAt: size - 1, failure })).error instanceof TransferError);
    assert.equal(existsSync(place.partial), false);
    writeFileSync(place.partial, place.file.subarray(0, 1));
    assert.ok((await place.download({ failAt: size - 1, failure })).error instanceof TransferError);
    assert.equal(statSync(place.partial).size, size - 1); // it has been interrupted before
  });

  test('keeps nothing of a cache whose files lie on this machine', async () => {
    await using place = await setUp();
    await place.download({ isLocal: true, failAt: 1_000_000, failure: new TransferError('no disk') });
    assert.equal(existsSync(place.partial), false);
  });
});
