import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { parseBaseName } from '../../src/formats/store-path.ts';
import { runCli } from '../support/cli.ts';
import { emptyStore, openTestStore, stage, temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { numberedObject } from '../support/numbered-objects.ts';
import { noOrdinaryUser, ordinaryUsersDirectory, StoreProcess } from '../support/store-process-control.ts';

describe('a staging directory', () => {
  test('lies in the store directory, named like a store path, for its owner alone', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    assert.equal(dirname(staging.dir), store.realStoreDir);
    assert.match(parseBaseName(basename(staging.dir)), new RegExp(`-tmp-sluice-${process.pid}$`));
    assert.equal(statSync(staging.dir).mode & 0o777, 0o700);
  });

  test('goes with all that is in it', async () => {
    await using resources = new AsyncDisposableStack();
    const { staging } = await emptyStore(resources);
    stage(staging, numberedObject(0));
    await staging[Symbol.asyncDispose]();
    assert.equal(existsSync(staging.dir), false);
    await staging[Symbol.asyncDispose]();
  });

  test('of a killed process is removed by the next, that of a living one is not', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const dead = resources.use(StoreProcess.start('stage', root));
    const deadDir = String(await dead.answer());
    await dead.kill();
    const living = resources.use(StoreProcess.start('stage', root));
    const livingDir = String(await living.answer());
    assert.equal(existsSync(deadDir), false);

    const store = await openTestStore(root, resources);
    await using staging = await store.openStaging();
    assert.deepEqual(
      readdirSync(store.realStoreDir)
        .filter((name) => name.includes('tmp-sluice'))
        .sort(),
      [basename(livingDir), basename(staging.dir)].sort(),
    );
  });

  for (const command of ['gc', 'verify']) {
    test(`of a killed process is removed by sluice ${command}`, async () => {
      await using resources = new AsyncDisposableStack();
      const root = await temporaryDirectory(resources);
      const dead = resources.use(StoreProcess.start('stage', root));
      const dir = String(await dead.answer());
      await dead.kill();
      assert.equal(existsSync(dir), true);
      assert.equal((await runCli([command, '--store', root])).code, 0);
      assert.equal(existsSync(dir), false);
    });
  }

  test('is left alone by a stock collector while its owner lives, and removed after', {
    skip: nixMissing,
  }, async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const nix = await Nix.open(await temporaryDirectory(resources));
    const owner = resources.use(StoreProcess.start('stage', root));
    const dir = String(await owner.answer());
    await nix.output('nix-store', '--store', root, '--gc');
    assert.deepEqual(readdirSync(dir), [numberedObject(0).info.path]);
    await owner.kill();
    await nix.output('nix-store', '--store', root, '--gc');
    assert.equal(existsSync(dir), false);
  });

  test('cannot be made in a store directory that is read-only, and that is said', {
    skip: noOrdinaryUser,
  }, async () => {
    await using resources = new AsyncDisposableStack();
    const root = await ordinaryUsersDirectory(resources);
    const made = resources.use(StoreProcess.startAsOrdinaryUser('add', root));
    await made.answer();
    chmodSync(join(root, 'nix/store'), 0o555);
    const refused = resources.use(StoreProcess.startAsOrdinaryUser('stage', root));
    assert.match(String(await refused.answer()), /^ERR_STORE cannot write to store directory '.*': EACCES/);
  });

  test('is not taken for one where the name only looks similar', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const kept = join(root, 'nix/store/x-tmp-sluice-1');
    mkdirSync(kept, { recursive: true });
    const store = await openTestStore(root, resources);
    await using _staging = await store.openStaging();
    assert.ok(existsSync(kept));
  });
});
