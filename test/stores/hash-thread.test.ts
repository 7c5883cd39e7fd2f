import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { HASH_ALGORITHMS } from '../../src/formats/hash.ts';
import { type HashThread, openHashThread } from '../../src/stores/hash-thread.ts';
import { bytes } from '../support/seeded.ts';

const ENTRY = new URL('../../workers/hash.ts', import.meta.url);
const MIB = 1024 * 1024;

/** A thread that does something else, in JavaScript. */
const entryOf = (source: string): URL => new URL(`data:text/javascript,${encodeURIComponent(source)}`);
const RING = new URL('../../src/stores/byte-ring.ts', import.meta.url).href;

/** Opens one, and says which thread it has. */
async function open(entry = ENTRY): Promise<{ readonly hasher: HashThread; readonly worker: Worker }> {
  const started = once(process, 'worker');
  const hasher = openHashThread(entry, 'sha256')!;
  const [worker] = await started;
  return { hasher, worker };
}

describe('a hash in a thread of its own', () => {
  test("is node:crypto's, whatever the sizes of chunks", async () => {
    const anySizes = fc.array(fc.nat({ max: 700_000 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(anySizes, fc.constantFrom(...HASH_ALGORITHMS), async (sizes, algorithm) => {
        await using hasher = openHashThread(ENTRY, algorithm)!;
        const expected = createHash(algorithm);
        for (const [seed, size] of sizes.entries()) {
          const chunk = bytes(size, { seed });
          hasher.update(chunk);
          expected.update(chunk);
          chunk.fill(0); // it is the caller's again
        }
        assert.deepEqual(Buffer.from(await hasher.digest()), expected.digest());
      }),
      { numRuns: 20 },
    );
  });

  test('is that of nothing where nothing came', async () => {
    await using hasher = openHashThread(ENTRY, 'sha256')!;
    assert.deepEqual(Buffer.from(await hasher.digest()), createHash('sha256').digest());
  });

  test('is right for many times what is under way at once', async () => {
    await using hasher = openHashThread(ENTRY, 'sha256')!;
    const expected = createHash('sha256');
    const chunk = bytes(MIB + 1, { seed: 1 });
    for (let count = 0; count < 64; count++) {
      hasher.update(chunk);
      expected.update(chunk);
    }
    assert.deepEqual(Buffer.from(await hasher.digest()), expected.digest());
  });

  for (const [when, chunks] of [
    ['has hardly begun', 0],
    ['waits for more', 1],
    ['has more before it than fits', 3],
  ] as const) {
    test(`leaves no thread where it is given up while that ${when}`, async () => {
      const { hasher, worker } = await open();
      const ended = once(worker, 'exit');
      for (let count = 0; count < chunks; count++) hasher.update(new Uint8Array(MIB));
      await hasher[Symbol.asyncDispose]();
      await ended;
      await hasher[Symbol.asyncDispose](); // once more does nothing
    });
  }

  test('leaves no thread when it is done', async () => {
    const { hasher, worker } = await open();
    const ended = once(worker, 'exit');
    await hasher.digest();
    await ended; // by itself
    await hasher[Symbol.asyncDispose]();
  });

  for (const [what, source, message] of [
    ['ends', 'process.exit(3)', /ended too early/],
    ['fails', "throw new Error('out of luck')", /has failed: out of luck/],
  ] as const) {
    test(`fails where its thread ${what}, now and from then on`, async () => {
      const { hasher, worker } = await open(entryOf(source));
      const ended = once(worker, 'exit').catch(() => {});
      hasher.update(new Uint8Array(10));
      await assert.rejects(hasher.digest(), { code: 'ERR_INTERNAL', message });
      await ended;
      assert.throws(() => hasher.update(new Uint8Array(10)), { code: 'ERR_INTERNAL', message });
    });
  }

  test('fails whoever waits for room when its thread fails', async () => {
    const source = `
      import { workerData } from 'node:worker_threads';
      import { RingReader } from '${RING}';
      new RingReader(workerData.memory).giveUp();`;
    await using hasher = openHashThread(entryOf(source), 'sha256')!;
    assert.throws(() => hasher.update(new Uint8Array(3 * MIB)), { code: 'ERR_INTERNAL', message: /has given up/ });
  });
});
