import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { exchange } from '../../src/stores/exchange.ts';
import { temporaryDirectory } from '../support/local-store.ts';

describe('exchanging two files', { skip: process.platform !== 'linux' }, () => {
  test('gives each the name of the other, whatever kind they are of', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    const [file, directory] = [join(dir, 'file ü'), join(dir, 'directory')];
    writeFileSync(file, 'text');
    mkdirSync(directory);
    const result = exchange(file, directory);
    if (result === 'unsupported') return; // by the file system of the temporary directory
    assert.equal(result, 'exchanged');
    assert.ok(statSync(file).isDirectory());
    assert.equal(readFileSync(directory, 'utf8'), 'text');
  });

  test('says what the system says where one is not there, and changes nothing', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    writeFileSync(join(dir, 'file'), 'text');
    const result = exchange(join(dir, 'file'), join(dir, 'none'));
    if (result === 'unsupported') return;
    assert.deepEqual(result, { errno: constants.errno.ENOENT });
    assert.ok(existsSync(join(dir, 'file')));
  });
});
