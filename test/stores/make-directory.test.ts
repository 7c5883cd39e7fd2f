import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { makeDirectory } from '../../src/stores/make-directory.ts';
import { makeScratch } from '../support/scratch.ts';

describe('making a directory', () => {
  test('makes those above it, and says whether it was missing', async () => {
    await using scratch = await makeScratch();
    const dir = join(scratch.path, 'a/b/c');
    assert.equal(makeDirectory(dir, 0o700), true);
    assert.equal(makeDirectory(dir), false);
    for (const each of ['a', 'a/b', 'a/b/c']) assert.equal(statSync(join(scratch.path, each)).mode & 0o777, 0o700);
  });

  test('ends where Node would try for ever', { skip: !existsSync('/proc/self') && 'no /proc' }, () => {
    assert.throws(() => makeDirectory('/proc/no-process/x'), { code: 'ENOENT', path: '/proc/no-process' });
    assert.throws(() => makeDirectory('/proc/self/x/y'), { code: 'ENOENT', path: '/proc/self/x' });
  });

  test('fails where a file has the name, or one above', async () => {
    await using scratch = await makeScratch();
    const file = join(scratch.path, 'file');
    writeFileSync(file, '');
    assert.throws(() => makeDirectory(file), { code: 'EEXIST' });
    assert.throws(() => makeDirectory(join(file, 'x')), { code: 'EEXIST' });
  });
});
