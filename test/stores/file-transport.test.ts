import assert from 'node:assert/strict';
import { mkdir, mkdtempDisposable, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FormatError, SubstituteGoneError, TransferError } from '../../src/errors.ts';
import { FileTransport } from '../../src/stores/file-transport.ts';
import { bytes } from '../support/seeded.ts';
import { collect } from '../support/store-objects.ts';

/** Names that a hostile narinfo may have as URL. */
const OUTSIDE = ['../secret', 'nar/../../secret', '/etc/passwd', '', '.', 'nar//x', 'nar/x\0y'] as const;

async function setUp(): Promise<{ dir: string; transport: FileTransport } & AsyncDisposable> {
  const { path: dir, [Symbol.asyncDispose]: dispose } = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
  return { dir, transport: new FileTransport(`file://${dir}`, dir), [Symbol.asyncDispose]: dispose };
}

describe('a file transport', () => {
  test('reads a small file, up to the size it may have', async () => {
    await using cache = await setUp();
    await writeFile(join(cache.dir, 'x'), 'hello');
    assert.equal(Buffer.from((await cache.transport.getFile('x', 5))!).toString(), 'hello');
    await assert.rejects(cache.transport.getFile('x', 4), TransferError);
  });

  test('tells a missing file from one that cannot be read', async () => {
    await using cache = await setUp();
    await writeFile(join(cache.dir, 'x'), '');
    await mkdir(join(cache.dir, 'dir'));
    for (const name of ['nothing', 'no/thing', 'x/below']) {
      assert.equal(await cache.transport.getFile(name, 5), undefined);
      await assert.rejects(
        cache.transport.streamFile(name, () => {}),
        SubstituteGoneError,
      );
    }
    await assert.rejects(cache.transport.getFile('dir', 5), TransferError);
    await assert.rejects(
      cache.transport.streamFile('dir', () => {}),
      TransferError,
    );
  });

  test('pours a file of several turns, and tells how much it was', async () => {
    await using cache = await setUp();
    const contents = bytes(3_000_000, { seed: 1 });
    await writeFile(join(cache.dir, 'x'), contents);
    let downloaded = 0;
    const onDownload = (count: number): void => {
      downloaded += count;
    };
    const poured = await collect((sink) => cache.transport.streamFile('x', sink, { onDownload }));
    assert.ok(poured.equals(contents));
    assert.equal(downloaded, contents.length);
  });

  for (const name of OUTSIDE) {
    test(`does not leave its directory for ${JSON.stringify(name)}`, async () => {
      await using cache = await setUp();
      await assert.rejects(cache.transport.getFile(name, 1_000), FormatError);
      await assert.rejects(
        cache.transport.streamFile(name, () => {}),
        FormatError,
      );
      await assert.rejects(
        cache.transport.putFile(async () => name),
        FormatError,
      );
    });
  }

  test('puts a file for all to read, under the name that is known at the end', async () => {
    await using cache = await setUp();
    using cleanup = new DisposableStack();
    cleanup.adopt(process.umask(0o077), (umask) => void process.umask(umask));
    await cache.transport.putFile(async (sink) => {
      await sink(Buffer.from('hello '));
      await sink(Buffer.from('world'));
      assert.equal((await readdir(cache.dir)).length, 1); // a temporary one
      return 'nar/x';
    });
    assert.equal(await readFile(join(cache.dir, 'nar/x'), 'utf8'), 'hello world');
    assert.equal((await stat(join(cache.dir, 'nar/x'))).mode & 0o777, 0o644);
    assert.deepEqual(await readdir(cache.dir), ['nar']);
  });

  test('leaves nothing of a file that did not come to its end', async () => {
    await using cache = await setUp();
    const failure = new Error('interrupted');
    const interrupted = cache.transport.putFile(async (sink) => {
      await sink(Buffer.from('hello'));
      throw failure;
    });
    await assert.rejects(interrupted, failure);
    assert.deepEqual(await readdir(cache.dir), []);
  });

  test('makes the directory of the cache', async () => {
    await using cache = await setUp();
    const dir = join(cache.dir, 'a/b');
    await new FileTransport(`file://${dir}`, dir).putFile(async () => 'x');
    assert.deepEqual(await readdir(dir), ['x']);
  });
});
