import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { makeRing, RingReader, RingWriter } from '../../src/stores/byte-ring.ts';
import { bytes } from '../support/seeded.ts';

/** What fits into a ring without a reader. */
const CAPACITY = 1024 * 1024;

/** What comes out of a ring whose writer has ended, and whether it came to the end. */
function readAll(memory: SharedArrayBuffer): { readonly read: Buffer; readonly isWhole: boolean } {
  const chunks: Uint8Array[] = [];
  const isWhole = new RingReader(memory).read((chunk) => void chunks.push(Buffer.from(chunk)));
  return { read: Buffer.concat(chunks), isWhole };
}

/** A ring through which so many bytes have gone already. */
function usedRing(count: number): SharedArrayBuffer {
  const memory = makeRing();
  const words = new Int32Array(memory, 0, 64);
  words[0] = count; // written
  words[16] = count; // and taken
  return memory;
}

describe('a ring of bytes', () => {
  test('hands over what was written, whatever the sizes of chunks and wherever it wraps', () => {
    const anySizes = fc.array(fc.nat({ max: 300_000 }), { maxLength: 3 });
    fc.assert(
      fc.property(anySizes, fc.nat({ max: 2 ** 32 - 1 }), (sizes, count) => {
        const memory = usedRing(count);
        const writer = new RingWriter(memory);
        const chunks = sizes.map((size, seed) => bytes(size, { seed }));
        for (const chunk of chunks) writer.write(chunk);
        writer.end();
        const { read, isWhole } = readAll(memory);
        assert.ok(isWhole);
        assert.ok(read.equals(Buffer.concat(chunks)));
      }),
      { numRuns: 50 },
    );
  });

  test('goes on past the largest count that it has a word for', () => {
    const memory = usedRing(2 ** 31 - 5);
    const writer = new RingWriter(memory);
    const written = bytes(CAPACITY, { seed: 1 });
    writer.write(written);
    writer.end();
    assert.ok(readAll(memory).read.equals(written));
  });

  test('ends at once where nothing was written', () => {
    const memory = makeRing();
    new RingWriter(memory).end();
    assert.deepEqual(readAll(memory), { read: Buffer.alloc(0), isWhole: true });
  });

  test('hands over nothing more when its writer has given up', () => {
    const memory = makeRing();
    const writer = new RingWriter(memory);
    writer.write(new Uint8Array(1_000));
    writer.abandon();
    assert.deepEqual(readAll(memory), { read: Buffer.alloc(0), isWhole: false });
  });

  test('is full for a writer only when it is, and fails where nobody reads', () => {
    const writer = new RingWriter(makeRing(), 0);
    writer.write(new Uint8Array(CAPACITY));
    assert.throws(() => writer.write(new Uint8Array(1)), { code: 'ERR_INTERNAL', message: /taken nothing for 0 ms/ });
  });

  test('fails its writer when its reader has given up', () => {
    const memory = makeRing();
    const writer = new RingWriter(memory);
    writer.write(new Uint8Array(CAPACITY));
    new RingReader(memory).giveUp();
    assert.throws(() => writer.write(new Uint8Array(1)), { code: 'ERR_INTERNAL', message: /has given up/ });
  });
});
