import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WriteBehind } from '../../../src/stores/export/write-behind.ts';
import { bytes } from '../../support/seeded.ts';

const LARGE = 256 * 1024;

describe('writing behind', () => {
  test('hands over the same bytes in large pieces, whatever they came in, and one at a time', async () => {
    const wanted = Buffer.from(bytes(5 * LARGE + 1, { seed: 1 }));
    for (const size of [1000, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE]) {
      const pieces: Buffer[] = [];
      let writing = 0;
      const writer = new WriteBehind(async (piece) => {
        assert.equal(++writing, 1);
        await new Promise(setImmediate);
        pieces.push(Buffer.from(piece)); // late: nobody may have touched it meanwhile
        writing--;
      });
      for (let start = 0; start < wanted.length; start += size) {
        const chunk = Buffer.from(wanted.subarray(start, start + size));
        await writer.push(chunk);
        chunk.fill(0);
      }
      await writer.flush();
      assert.ok(Buffer.concat(pieces).equals(wanted), `in chunks of ${size}`);
      assert.equal(pieces.length, 6);
    }
  });

  test('takes more while a piece is written', async () => {
    const gate = Promise.withResolvers<void>();
    const writer = new WriteBehind(() => gate.promise);
    await writer.push(new Uint8Array(LARGE));
    await writer.push(new Uint8Array(LARGE - 1));
    gate.resolve();
    await writer.flush();
  });

  test('fails as the sink does, with the next that has to wait for it', async () => {
    const fail = (): Promise<void> => Promise.reject(new Error('no room'));
    const writer = new WriteBehind(fail);
    await writer.push(new Uint8Array(LARGE));
    await assert.rejects(async () => await writer.push(new Uint8Array(LARGE)), { message: 'no room' });
    await assert.rejects(
      new WriteBehind(fail).flush().then(() => writer.flush()),
      { message: 'no room' },
    );
  });
});
