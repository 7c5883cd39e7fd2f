import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Chunks } from '../../../../src/stores/http/plain/chunks.ts';

/** Takes a body that comes in two parts: what is in it, and what follows. */
function read(text: string, cut: number): { body: string; rest: string } {
  const chunks = new Chunks();
  let body = '';
  let kept = Buffer.alloc(0);
  for (const part of [text.slice(0, cut), text.slice(cut)]) {
    const bytes = Buffer.concat([kept, Buffer.from(part, 'latin1')]);
    let position = 0;
    while (!chunks.isDone) {
      if (chunks.size > 0) {
        const piece = bytes.subarray(position, position + chunks.size);
        if (piece.length === 0) break;
        body += piece.toString('latin1');
        position += piece.length;
        chunks.size -= piece.length;
      } else {
        const next = chunks.next(bytes, position);
        if (next === undefined) break;
        position = next;
      }
    }
    kept = bytes.subarray(position);
  }
  return { body, rest: chunks.isDone ? kept.toString('latin1') : 'not done' };
}

describe('a body in chunks', () => {
  for (const [what, text, expected] of [
    ['of several', '5\r\nhello\r\n2\r\n!!\r\n0\r\n\r\nnext', 'hello!!'],
    ['of none', '0\r\n\r\nnext', ''],
    ['with leading zeros and capitals', '000A\r\n0123456789\r\n00\r\n\r\nnext', '0123456789'],
    ['with extensions', '3;a=b;c\r\nabc\r\n0;x\r\n\r\nnext', 'abc'],
    ['with trailers', '3\r\nabc\r\n0\r\nExpires: never\r\nX: y\r\n\r\nnext', 'abc'],
    ['that hold what separates them', '4\r\n\r\n\r\n\r\n0\r\n\r\nnext', '\r\n\r\n'],
  ] as const) {
    test(`${what} is the same, wherever it is cut`, () => {
      for (let cut = 0; cut <= text.length - 'next'.length; cut++) {
        assert.deepEqual(read(text, cut), { body: expected, rest: 'next' }, `cut at ${cut}`);
      }
    });
  }

  for (const [reason, text] of [
    ['a size that is no number', 'x\r\n'],
    ['a negative size', '-1\r\n'],
    ['a size beyond all numbers', '1ffffffffffff\r\n'],
    ['no size', '\r\n'],
    ['more than the size says', '1\r\nabc\r\n0\r\n\r\n'],
    ['a line without an end', ';'.repeat(5_000)],
    ['trailers without an end', `0\r\n${'x: y\r\n'.repeat(4_000)}`],
  ] as const) {
    test(`with ${reason} is none`, () => assert.throws(() => read(text, text.length), /malformed chunk/));
  }
});
