import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { numberedObject } from '../support/numbered-objects.ts';
import { noOrdinaryUser, ordinaryUsersDirectory, StoreProcess } from '../support/store-process-control.ts';

describe('removing a tree', () => {
  test('takes files and nothing with it', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    writeFileSync(join(dir, 'file'), '');
    await removeTree(join(dir, 'file'));
    await removeTree(join(dir, 'file'));
    assert.equal(existsSync(join(dir, 'file')), false);
  });

  test('does not follow symlinks', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'outside'));
    writeFileSync(join(dir, 'outside/file'), '');
    chmodSync(join(dir, 'outside'), 0o555);
    mkdirSync(join(dir, 'tree'));
    symlinkSync('../outside', join(dir, 'tree/link'));
    await removeTree(join(dir, 'tree'));
    assert.ok(existsSync(join(dir, 'outside/file')));
    assert.equal(statSync(join(dir, 'outside')).mode & 0o777, 0o555);
  });

  test('works for an ordinary user where directories are read-only', { skip: noOrdinaryUser }, async () => {
    await using resources = new AsyncDisposableStack();
    const root = await ordinaryUsersDirectory(resources);
    const owner = resources.use(StoreProcess.startAsOrdinaryUser('stage', root));
    const dir = String(await owner.answer());
    const inner = join(dir, numberedObject(0).info.path, 'inner');
    chmodSync(inner, 0o755);
    symlinkSync(join(root, 'nix/store/.links'), join(inner, 'link'));
    chmodSync(inner, 0o555);

    owner.goOn();
    assert.equal(await owner.answer(), 'removed');
    assert.equal(existsSync(dir), false);
    assert.equal(statSync(join(root, 'nix/store/.links')).mode & 0o777, 0o755, 'what a link points at stays as it is');
  });
});
