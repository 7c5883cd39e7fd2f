import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { dumpNar } from '../../../src/stores/nar-fs.ts';
import { hashNar } from '../../../src/stores/verify/hash-nar.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

const { signal } = new AbortController();

async function dumped(path: string): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  await dumpNar(path, (chunk) => {
    hash.update(chunk);
    size += chunk.length;
  });
  return { digest: hash.digest('hex'), size };
}

async function hashed(path: string): Promise<{ digest: string; size: number }> {
  let told = 0;
  const { narHash, narSize } = await hashNar(path, signal, (bytes) => {
    told += bytes;
  });
  assert.equal(told, narSize);
  return { digest: Buffer.from(narHash.digest).toString('hex'), size: narSize };
}

describe('hashing a tree as a NAR', () => {
  test('comes to the hash of its NAR, whatever is in it', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = join(await temporaryDirectory(resources), 'tree ü');
    mkdirSync(join(dir, 'sub/empty'), { recursive: true });
    for (const size of [0, 1, 7, 8, 9, 131_000, 131_072, 131_073, 400_001]) {
      writeFileSync(join(dir, `size-${size}`), Buffer.alloc(size, size));
    }
    writeFileSync(join(dir, 'sub/run'), 'run');
    chmodSync(join(dir, 'sub/run'), 0o755);
    symlinkSync('target ü', join(dir, 'sub/link'));
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0x61])]), 'not UTF-8');
    writeFileSync(join(dir, 'a.b'), '');
    mkdirSync(join(dir, 'a'));
    for (const path of [dir, join(dir, 'sub/run'), join(dir, 'sub/link'), join(dir, 'size-400001')]) {
      assert.deepEqual(await hashed(path), await dumped(path), path);
    }
  });

  test('is the same where several are hashed at once', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    const files = ['one', 'two'].map((name) => join(dir, name));
    for (const [index, file] of files.entries()) {
      writeFileSync(file, Buffer.alloc(1000, index));
      truncateSync(file, 70 * 2 ** 20); // long enough that the event loop gets its turns
    }
    const expected = [await dumped(files[0]!), await dumped(files[1]!)];
    assert.deepEqual(await Promise.all(files.map(hashed)), expected);
  });

  test('hears in the middle of a large file that it was cancelled', async () => {
    await using resources = new AsyncDisposableStack();
    const file = join(await temporaryDirectory(resources), 'file');
    writeFileSync(file, '');
    truncateSync(file, 100 * 2 ** 20);
    const controller = new AbortController();
    let bytes = 0;
    const hashing = hashNar(file, controller.signal, (more) => {
      bytes += more;
    });
    controller.abort(new Error('stop'));
    await assert.rejects(hashing, /stop/);
    assert.ok(bytes < 50 * 2 ** 20);
  });

  test('takes no files of other kinds', async () => {
    await using resources = new AsyncDisposableStack();
    const fifo = join(await temporaryDirectory(resources), 'fifo');
    execFileSync('mkfifo', [fifo]);
    await assert.rejects(
      hashNar(fifo, signal, () => {}),
      { code: 'ERR_STORE', message: /neither file, directory nor symlink/ },
    );
  });
});
