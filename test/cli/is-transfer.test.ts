import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isTransfer } from '../../src/cli/is-transfer.ts';
import { makeScratch } from '../support/scratch.ts';

const NAME = '00000000000000000000000000000000-hello';
const MISSING = `/nowhere/store/${NAME}`;

const TRANSFERS: readonly (readonly string[])[] = [
  ['realise', MISSING],
  ['realise', '--store', '/tmp/x', '-v', MISSING],
  ['build', `${MISSING}.drv^out,dev`],
  ['copy', '--to', '/tmp/x', MISSING],
];
const OTHERS: readonly (readonly [words: readonly string[], why: string])[] = [
  [[], 'nothing is asked for'],
  [['realise'], 'paths come later, or not at all'],
  [['realise', '--dry-run', MISSING], 'nothing is to be fetched'],
  [['realise', '--help'], 'help is wanted'],
  [['realise', '--store', '/nowhere', 'hello'], 'no store path is named'],
  [['path-info', MISSING], 'the command needs no thread'],
];

for (const words of TRANSFERS) {
  test(`'${words.join(' ')}' is expected to need a thread`, () => assert.equal(isTransfer(words), true));
}
for (const [words, why] of OTHERS) {
  test(`'${words.join(' ')}' is not expected to need a thread: ${why}`, () => assert.equal(isTransfer(words), false));
}

test('where all paths are in the store no thread is expected to be needed', async () => {
  await using scratch = await makeScratch();
  const path = join(scratch.path, NAME);
  await mkdir(path);
  assert.equal(isTransfer(['realise', path]), false);
  assert.equal(isTransfer(['realise', '--store', 'local', path]), false);
  assert.equal(isTransfer(['build', `${path}^out`]), false);
  assert.equal(isTransfer(['realise', path, MISSING]), true);
});

test('paths are looked for in the store that they are wanted in', async () => {
  await using scratch = await makeScratch();
  const root = scratch.path;
  await mkdir(root + MISSING, { recursive: true });
  for (const store of [root, `local?root=${root}`, `local?read-only=true&root=${root}`]) {
    assert.equal(isTransfer(['realise', MISSING, '--store', store]), false, store);
    assert.equal(isTransfer(['copy', MISSING, `--to=${store}`]), false, store);
  }
  const path = join(root, NAME);
  await mkdir(path);
  assert.equal(isTransfer(['realise', path, '--store', join(root, 'other')]), true);
});
