import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readText } from '../../src/cli/read-text.ts';
import { UsageError } from '../../src/errors.ts';

async function* chunks(...texts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test('text comes in chunks that may cut a character', async () => {
  const bytes = Buffer.from('aé');
  assert.equal(await readText(chunks(bytes.subarray(0, 2), bytes.subarray(2)), 10), 'aé');
});

test('text longer than the limit is rejected before it is all read', async () => {
  await assert.rejects(readText(chunks('12345', '67890', 'x'), 9), UsageError);
  assert.equal(await readText(chunks('12345', '6789'), 9), '123456789');
});
