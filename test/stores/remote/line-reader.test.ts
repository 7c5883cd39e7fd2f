import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineReader } from '../../../src/stores/remote/line-reader.ts';

function read(...chunks: readonly Uint8Array[]): { readonly lines: readonly string[]; readonly tail: string } {
  const lines: string[] = [];
  const reader = new LineReader((line) => void lines.push(line));
  for (const chunk of chunks) reader.push(chunk);
  return { lines, tail: reader.tail() };
}

test('lines are told wherever they are cut, the last one when it is asked for', () => {
  const text = Buffer.from('one\r\n\ntwo ü\nthree');
  for (let cut = 0; cut <= text.length; cut++) {
    const { lines, tail } = read(text.subarray(0, cut), text.subarray(cut));
    assert.deepEqual(lines, ['one', '', 'two ü', 'three']);
    assert.equal(tail, 'one; two ü; three');
  }
});

test('of much only the end is kept, and of a long line the beginning', () => {
  const { tail } = read(Buffer.from('noise\n'.repeat(100_000)), Buffer.from('last\n'));
  assert.match(tail, /noise; last$/);
  assert.ok(tail.length <= 2_000);
  const { lines } = read(Buffer.alloc(1_000_000, 'x'), Buffer.from('\n'));
  assert.equal(lines[0]!.length, 64 * 1024);
});

test('what a terminal would obey is left out', () => {
  assert.equal(read(Buffer.from('\x1b[31mred\x1b[0m\u202e\x07\n')).tail, 'red');
});
