import assert from 'node:assert/strict';
import { chmod, mkdtempDisposable, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseBaseName } from '../../src/formats/store-path.ts';
import { verifyStore } from '../../src/scheduler/verify-store.ts';
import { makeSettings } from '../../src/settings.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { openLocalStoreAt } from '../../src/stores/open-store.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

const settings = makeSettings({ workerThreads: 1 });
const base = makeObject('base', file('base'));
const app = makeObject('app', directory({ run: file('run', true) }), { references: [base.info.path] });

async function withStore(action: (store: LocalStore) => Promise<void>): Promise<void> {
  await using tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
  await using store = await openLocalStoreAt(tmp.path, settings);
  await add(store, base, app);
  await action(store);
}

async function overwrite(store: LocalStore): Promise<void> {
  const path = store.realPath(base.info.path);
  await chmod(path, 0o644);
  await writeFile(path, 'evil');
}

describe('verifying a store', () => {
  test('finds nothing in a store that is as it was, and says how far it is', () =>
    withStore(async (store) => {
      const seen: number[] = [];
      const onProgress = ({ done }: { done: number }): void => void seen.push(done);
      assert.deepEqual(await verifyStore({ store, contents: true, settings, onProgress }), {
        checked: 2,
        problems: [],
      });
      assert.deepEqual(seen, [1, 2]);
    }));

  test('finds contents that were changed, and tells at once', () =>
    withStore(async (store) => {
      await overwrite(store);
      const told: string[] = [];
      const onProblem = ({ problem }: { problem: Error }): void => void told.push(problem.message);
      const { problems } = await verifyStore({ store, contents: true, settings, onProblem });
      assert.deepEqual(
        problems.map(({ path, problem }) => [path, problem.code]),
        [[base.info.path, 'ERR_HASH_MISMATCH']],
      );
      assert.match(told.join(), /'\/nix\/store\/.*-base'/);
    }));

  test('reads no contents when only presence is asked for', () =>
    withStore(async (store) => {
      await overwrite(store);
      assert.deepEqual((await verifyStore({ store, contents: false, settings })).problems, []);
      await rm(store.realPath(base.info.path));
      const { problems } = await verifyStore({ store, contents: false, settings });
      assert.match(problems[0]!.problem.message, /registered but cannot be read/);
    }));

  test('looks only at the paths that are named, and says so when one is not valid', () =>
    withStore(async (store) => {
      await overwrite(store);
      assert.deepEqual((await verifyStore({ store, paths: [app.info.path], contents: true, settings })).problems, []);
      const gone = parseBaseName(`${'0'.repeat(32)}-gone`);
      const { problems } = await verifyStore({ store, paths: [gone], contents: true, settings });
      assert.match(problems[0]!.problem.message, /is not valid/);
    }));

  test('stops when its signal aborts', () =>
    withStore(async (store) => {
      const signal = AbortSignal.abort(new Error('stop'));
      await assert.rejects(verifyStore({ store, contents: true, settings, signal }), /stop/);
    }));
});
