import assert from 'node:assert/strict';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hashBytes, printHash } from '../../src/formats/hash.ts';
import { fingerprint } from '../../src/formats/path-info.ts';
import { makeSecretKey, printPublicKey, publicKeyOf, sign } from '../../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../src/formats/store-path.ts';
import { exitCodeOf } from '../../src/scheduler/verify-problems.ts';
import { type VerifyOptions, verifyStore } from '../../src/scheduler/verify-store.ts';
import { makeSettings } from '../../src/settings.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { loadSqlite } from '../../src/stores/sqlite.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { add, makeBuiltObject, makeObject } from '../support/store-objects.ts';
import { directory, file, narOf } from '../support/trees.ts';

const settings = makeSettings({ workerThreads: 1 });
const base = makeObject('base', file('base'));
const app = makeObject('app', directory({ run: file('run', true) }), { references: [base.info.path] });

async function withStore(action: (store: LocalStore) => Promise<void>): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const store = await openTestStore(await temporaryDirectory(resources), resources);
  await add(store, base, app);
  await action(store);
}

const noRepair: VerifyOptions['repair'] = () => Promise.reject(new Error('unreachable'));

/** As another program would change it. */
function change({ stateDir }: LocalStore, sql: string): void {
  const connection = loadSqlite()(join(stateDir, 'db/db.sqlite'), {
    create: false,
    readOnly: false,
    fsyncMetadata: false,
  });
  connection.exec(sql);
  connection.close();
}

async function overwrite(store: LocalStore): Promise<void> {
  const path = store.realPath(base.info.path);
  await chmod(path, 0o644);
  await writeFile(path, 'evil');
}

describe('verifying a store', () => {
  test('finds nothing in a store that is as it was, and says how far it is', () =>
    withStore(async (store) => {
      const seen: string[] = [];
      const onProgress = ({ done, expected, narBytes }: Record<'done' | 'expected' | 'narBytes', number>): void =>
        void seen.push(`${done}/${expected}, ${narBytes}`);
      assert.deepEqual(await verifyStore({ store, contents: true, settings, onProgress }), {
        checked: 2,
        problems: [],
      });
      const narBytes = base.info.narSize + app.info.narSize;
      assert.deepEqual(seen.slice(-2), [`1/2, ${narBytes}`, `2/2, ${narBytes}`]);
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

  test('an unknown size is no mismatch, and is filled in with a repair', () =>
    withStore(async (store) => {
      change(store, 'update ValidPaths set narSize = null');
      const options = { store, contents: true, settings };
      assert.deepEqual((await verifyStore(options)).problems, []);
      assert.equal((await store.queryPathInfo(base.info.path))?.narSize, 0, 'nothing is changed without one');
      assert.deepEqual((await verifyStore({ ...options, repair: noRepair })).problems, []);
      assert.equal((await store.queryPathInfo(base.info.path))?.narSize, base.info.narSize);
    }));

  test('a row that makes no sense is a problem of its own', () =>
    withStore(async (store) => {
      change(store, `update ValidPaths set hash = 'md5:nonsense' where path like '%-base'`);
      const { checked, problems } = await verifyStore({ store, contents: true, settings });
      assert.equal(checked, 2);
      assert.deepEqual(
        problems.map(({ kind, path }) => [kind, path]),
        [['failed', base.info.path]],
      );
      assert.equal(exitCodeOf(problems), 4);
    }));

  test('what is collected while it is at work is no problem', () =>
    withStore(async (store) => {
      const onMessage = (message: string): void => {
        if (!message.startsWith('checking store hashes')) return;
        change(store, `delete from ValidPaths where path like '%-app'`);
        chmodSync(store.realPath(app.info.path), 0o755);
        rmSync(store.realPath(app.info.path), { recursive: true });
      };
      assert.deepEqual((await verifyStore({ store, contents: true, settings, onMessage })).problems, []);
    }));

  test('what is collected and made again while it is read is no problem', () =>
    withStore(async (store) => {
      const path = store.realPath(base.info.path);
      const onProgress = (): void => {
        // What was read is wrong; before it is looked at again, it is made once more.
        change(store, `pragma foreign_keys = off; update ValidPaths set id = id + 100 where path like '%-base'`);
        writeFileSync(path, 'base');
      };
      await overwrite(store);
      assert.deepEqual((await verifyStore({ store, contents: true, settings, onProgress })).problems, []);
    }));

  test('finds a link that is not what its name says, and deletes its name with a repair', () =>
    withStore(async (store) => {
      const links = join(store.realStoreDir, '.links');
      await mkdir(links, { recursive: true });
      const name = printHash(hashBytes('sha256', narOf(file('good'))), 'nix32').replace('sha256:', '');
      await writeFile(join(links, name), 'good');
      const bad = `${'0'.repeat(51)}1`;
      await writeFile(join(links, bad), 'bad');
      const options = { store, contents: true, settings };
      const { problems } = await verifyStore(options);
      assert.deepEqual(
        problems.map(({ kind, shown }) => [kind, shown]),
        [['link', join(links, bad)]],
      );
      assert.equal(exitCodeOf(problems), 1);
      const mended = (await verifyStore({ ...options, repair: noRepair })).problems;
      assert.deepEqual([mended[0]!.remedy, exitCodeOf(mended)], ['deleted', 0]);
      assert.deepEqual(await readdir(links), [name]);
    }));

  test('stops when its signal aborts', () =>
    withStore(async (store) => {
      const signal = AbortSignal.abort(new Error('stop'));
      await assert.rejects(verifyStore({ store, contents: true, settings, signal }), /stop/);
    }));
});

describe('verifying with repairs', () => {
  test('makes missing paths invalid to which nothing refers that is there', () =>
    withStore(async (store) => {
      await rm(store.realPath(base.info.path));
      await removeTree(store.realPath(app.info.path));
      const { problems } = await verifyStore({ store, contents: true, settings, repair: noRepair });
      assert.deepEqual(
        problems.map(({ kind, remedy }) => [kind, remedy]),
        [
          ['missing', 'unregistered'],
          ['missing', 'unregistered'],
        ],
      );
      assert.deepEqual(await store.queryAllValidPaths(), []);
    }));

  test('repairs missing paths that others refer to, and those that are named', () =>
    withStore(async (store) => {
      const repaired: string[] = [];
      const repair: VerifyOptions['repair'] = async (path) => {
        repaired.push(path);
        return { state: 'succeeded', how: 'repaired' };
      };
      await rm(store.realPath(base.info.path));
      const { problems } = await verifyStore({ store, contents: false, settings, repair });
      assert.deepEqual([repaired, exitCodeOf(problems)], [[base.info.path], 0]);
      await removeTree(store.realPath(app.info.path));
      await verifyStore({ store, paths: [app.info.path], contents: false, settings, repair });
      assert.deepEqual(repaired, [base.info.path, app.info.path]);
    }));

  test('a path that cannot be repaired is as wrong as before, with the reason', () =>
    withStore(async (store) => {
      await overwrite(store);
      const repair: VerifyOptions['repair'] = () => Promise.reject(new Error('no way'));
      const { problems } = await verifyStore({ store, contents: true, settings, repair });
      assert.deepEqual([problems[0]!.kind, problems[0]!.failure?.message], ['modified', 'no way']);
      assert.equal(exitCodeOf(problems), 1);
    }));
});

describe('verifying signatures', () => {
  const tree = file('tool');
  async function keyOf(name: string, seed: number) {
    const secret = await makeSecretKey(name, new Uint8Array(32).fill(seed));
    return { secret, text: printPublicKey(publicKeyOf(secret)) };
  }

  async function problemsOf(store: LocalStore, trustedPublicKeys: string[], sigsNeeded = 0): Promise<string[]> {
    const trust = { trustedPublicKeys, sigsNeeded };
    const { problems } = await verifyStore({ store, contents: false, trust, settings });
    return problems.map(({ kind, shown }) => `${kind} ${shown.replace(/.*-/, '')}`);
  }

  test('wants one by a trusted key, of different keys as many as are asked for, and none where the name is proof', () =>
    withStore(async (store) => {
      const tool = await makeBuiltObject('tool', tree);
      const [one, two, three] = await Promise.all([keyOf('test-1', 7), keyOf('test-2', 8), keyOf('test-3', 9)]);
      const second = await sign(two!.secret, fingerprint(DEFAULT_STORE_DIR, tool.info));
      const signatures = [...tool.info.signatures, ...tool.info.signatures, second];
      await add(store, { ...tool, info: { ...tool.info, signatures } });
      assert.deepEqual(await problemsOf(store, [one!.text]), []);
      assert.deepEqual(await problemsOf(store, [one!.text], 2), ['untrusted tool']);
      assert.deepEqual(await problemsOf(store, [one!.text, two!.text], 2), []);
      assert.deepEqual(await problemsOf(store, [three!.text]), ['untrusted tool']);
    }));

  test('takes those of other stores, too', () =>
    withStore(async (store) => {
      const tool = await makeBuiltObject('tool', tree);
      await add(store, { ...tool, info: { ...tool.info, signatures: [] } });
      const { text } = await keyOf('test-1', 7);
      assert.deepEqual(await problemsOf(store, [text]), ['untrusted tool']);
      await using other = new MemoryStore(DEFAULT_STORE_DIR);
      await add(other, tool);
      const trust = { trustedPublicKeys: [text], sigsNeeded: 0, substituters: [other] };
      const { problems } = await verifyStore({ store, contents: false, trust, settings });
      assert.deepEqual(problems, []);
    }));

  test('a path that was built here needs none, unless some are asked for', () =>
    withStore(async (store) => {
      const tool = await makeBuiltObject('tool', tree);
      await add(store, { ...tool, info: { ...tool.info, signatures: [], ultimate: true } });
      assert.deepEqual(await problemsOf(store, []), []);
      assert.deepEqual(await problemsOf(store, [], 1), ['untrusted tool']);
    }));
});
