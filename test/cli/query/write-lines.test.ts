import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeLines } from '../../../src/cli/query/write-lines.ts';

async function pieces(lines: Iterable<string>): Promise<string[]> {
  const written: string[] = [];
  await writeLines({ isTerminal: false, write: async (text) => void written.push(String(text)) }, lines);
  return written;
}

test('lines are written together, and in pieces where they are many', async () => {
  assert.deepEqual(await pieces([]), []);
  assert.deepEqual(await pieces(['a', 'b']), ['a\nb\n']);
  const many = Array.from({ length: 3_000 }, (_, index) => `${index}`.padStart(99, '.'));
  const written = await pieces(many);
  assert.ok(written.length > 1 && written.every(({ length }) => length <= 64 * 1024 + 100));
  assert.equal(written.join(''), many.map((line) => `${line}\n`).join(''));
});
