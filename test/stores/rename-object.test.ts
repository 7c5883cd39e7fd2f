import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { renameObject } from '../../src/stores/rename-object.ts';
import { temporaryDirectory } from '../support/local-store.ts';

describe('moving a store object', () => {
  test('leaves its mode and time as they are', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'from/object'), { recursive: true });
    mkdirSync(join(dir, 'to'));
    writeFileSync(join(dir, 'from/object/file'), '');
    chmodSync(join(dir, 'from/object'), 0o555);
    utimesSync(join(dir, 'from/object'), 1, 1);
    renameObject(join(dir, 'from/object'), join(dir, 'to/object'));
    const { mode, mtimeMs } = lstatSync(join(dir, 'to/object'));
    assert.deepEqual([mode & 0o777, mtimeMs], [0o555, 1000]);
  });

  test('says what is missing', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    assert.throws(() => renameObject(join(dir, 'gone'), join(dir, 'to')), { code: 'ENOENT' });
  });
});
