import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../src/errors.ts';
import { TextFiles } from '../../src/nix-conf/text-files.ts';
import { makeScratch } from '../support/scratch.ts';

test('a file is read to its end', async () => {
  await using scratch = await makeScratch();
  const text = 'größer\n'.repeat(10_000);
  await writeFile(join(scratch.path, 'file'), text);
  assert.equal(new TextFiles().read(join(scratch.path, 'file')), text);
});

test('what has no size of its own is read as well, such as a pipe', () => {
  assert.match(new TextFiles().read('/proc/self/status'), /^Name:/);
});

test('files are read up to a bound, which is for all of them together', async () => {
  await using scratch = await makeScratch();
  const path = join(scratch.path, 'file');
  await writeFile(path, 'x'.repeat(2 ** 19));
  const files = new TextFiles();
  files.read(path);
  files.read(path);
  assert.throws(() => files.count(1, 'more'), UsageError);
  assert.throws(() => files.read(path), { message: `${path}: configuration files have more than 1048576 bytes` });
  assert.throws(() => new TextFiles().read('/dev/zero'), UsageError);
});

test('what the system says of a file passes through', () => {
  assert.throws(() => new TextFiles().read('/no/such'), { code: 'ENOENT' });
  assert.throws(() => new TextFiles().read('/'), { code: 'EISDIR' });
});
