import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import { FRAME_SIZE, FrameParser, FrameWriter } from '../../../src/formats/wire/frames.ts';
import { bytes } from '../../support/seeded.ts';
import { wire } from '../../support/wire.ts';

async function frame(...chunks: readonly Uint8Array[]): Promise<Buffer> {
  const frames: Uint8Array[] = [];
  const writer = new FrameWriter((each) => void frames.push(each));
  for (const chunk of chunks) await writer.push(chunk);
  await writer.finish();
  return Buffer.concat(frames);
}

function unframe(...chunks: readonly Uint8Array[]): { contents: Buffer; taken: number; ended: boolean } {
  const contents: Buffer[] = [];
  const parser = new FrameParser((piece) => void contents.push(Buffer.from(piece)));
  let taken = 0;
  for (const chunk of chunks) taken += parser.take(chunk);
  return { contents: Buffer.concat(contents), taken, ended: parser.ended };
}

test('frames are a length and as many bytes, without padding; an empty one is the end', async () => {
  const expected = Buffer.concat([wire(5), Buffer.from('hello'), wire(0)]);
  assert.deepEqual(await frame(Buffer.from('he'), Buffer.from('llo')), expected);
  assert.deepEqual(await frame(), wire(0));
});

test('contents of any size come in frames of one size', async () => {
  const contents = Buffer.from(bytes(3 * FRAME_SIZE + 5, { seed: 1 }));
  const framed = await frame(contents.subarray(0, 7), contents.subarray(7));
  assert.equal(framed.length, contents.length + 4 * 8 + 8);
  assert.deepEqual(framed.subarray(0, 8), wire(FRAME_SIZE));
  assert.ok(unframe(framed).contents.equals(contents));
});

test('a chunk may change once it is taken', async () => {
  const chunk = Buffer.from('abc');
  const writer = new FrameWriter((each) => void written.push(each));
  const written: Uint8Array[] = [];
  writer.push(chunk);
  chunk.fill(0);
  await writer.finish();
  assert.equal(Buffer.concat(written).subarray(8, 11).toString(), 'abc');
});

test('who writes slowly is waited for', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const writer = new FrameWriter(() => promise);
  let taken = false;
  const pushed = Promise.resolve(writer.push(Buffer.alloc(2 * FRAME_SIZE + 1))).then(() => {
    taken = true;
  });
  await new Promise(setImmediate);
  assert.equal(taken, false);
  resolve();
  await pushed;
});

test('frames are taken apart wherever they are cut, and nothing behind them is touched', () => {
  const framed = Buffer.concat([wire(3), Buffer.from('abc'), wire(2), Buffer.from('de'), wire(0)]);
  const rest = Buffer.from('more');
  for (let cut = 0; cut <= framed.length; cut++) {
    const all = unframe(framed.subarray(0, cut), Buffer.concat([framed.subarray(cut), rest]));
    assert.equal(all.contents.toString(), 'abcde');
    assert.deepEqual([all.taken, all.ended], [framed.length, true]);
  }
});

test('a frame of an absurd length is rejected at once', () => {
  assert.throws(
    () => unframe(wire(1), wire(0).subarray(0, 1), wire(2n ** 63n)),
    (error) => error instanceof FormatError && error.offset === 9,
  );
});
