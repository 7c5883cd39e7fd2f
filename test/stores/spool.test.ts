import assert from 'node:assert/strict';
import { mkdtempDisposable, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/errors.ts';
import { Spool } from '../../src/stores/spool.ts';
import { bytes } from '../support/seeded.ts';

/** Pushes `contents` in chunks out of one buffer that is overwritten each time. */
function fill(spool: Spool, contents: Uint8Array, chunkSize = 10_000): void {
  const buffer = new Uint8Array(chunkSize);
  for (let start = 0; start < contents.length; start += chunkSize) {
    const chunk = contents.subarray(start, start + chunkSize);
    buffer.set(chunk);
    spool.push(buffer.subarray(0, chunk.length));
    buffer.fill(0xff);
  }
}

describe('a spool', () => {
  for (const size of [0, 1, 10_000, 1_048_576, 1_048_577, 3_000_001]) {
    test(`gives back ${size} bytes, in parts and as often as wanted`, () => {
      const contents = Buffer.from(bytes(size, { seed: 5 }));
      using spool = new Spool();
      fill(spool, contents);
      assert.equal(spool.size, size);
      for (let round = 0; round < 2; round++) {
        const parts: Uint8Array[] = [];
        for (let start = 0; start < size; start += 70_000) parts.push(spool.read(start, 70_000));
        assert.ok(Buffer.concat(parts).equals(contents));
      }
      assert.equal(spool.read(size, 10).length, 0);
    });
  }

  test('can be read before it is full', () => {
    const contents = Buffer.from(bytes(2_500_000, { seed: 6 }));
    using spool = new Spool();
    fill(spool, contents.subarray(0, 2_000_000));
    assert.ok(contents.subarray(1_990_000, 2_000_000).equals(spool.read(1_990_000, 20_000)));
    fill(spool, contents.subarray(2_000_000));
    assert.ok(contents.equals(spool.read(0, 3_000_000)));
  });

  test('leaves no file, not even while it is in use', async (t) => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
    useTmpdir(t, scratch.path);
    using spool = new Spool();
    fill(spool, bytes(2_000_000, { seed: 7 }));
    assert.deepEqual(await readdir(scratch.path), []);
    assert.equal(spool.read(0, 5).length, 5);
  });

  test('says where there is no room', (t) => {
    useTmpdir(t, '/nowhere/at/all');
    using spool = new Spool();
    assert.throws(
      () => fill(spool, bytes(2_000_000, { seed: 8 })),
      (error) => error instanceof StoreError && /'\/nowhere/.test(error.message) && /TMPDIR/.test(error.hint ?? ''),
    );
  });
});

function useTmpdir(t: { after(restore: () => void): void }, directory: string): void {
  const before = process.env.TMPDIR;
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  process.env.TMPDIR = directory;
}
