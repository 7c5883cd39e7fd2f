import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { IncompleteClosureError, StoreError } from '../../src/errors.ts';
import { DEFAULT_STORE_DIR, type StorePath } from '../../src/formats/store-path.ts';
import { StoreDatabase } from '../../src/stores/database.ts';
import { DerivationReader } from '../../src/stores/derivations.ts';
import { type Libc, loadLibc } from '../../src/stores/libc.ts';
import type { LocalStore, RegisterOutcome, StagedPath } from '../../src/stores/local-store.ts';
import { tryLockPath } from '../../src/stores/path-locks.ts';
import { type RegisterContext, registerStaged } from '../../src/stores/register.ts';
import { loadSqlite } from '../../src/stores/sqlite.ts';
import { TempRoots } from '../../src/stores/temp-roots.ts';
import { emptyStore, openTestStore, stage, temporaryDirectory } from '../support/local-store.ts';
import { numberedObject } from '../support/numbered-objects.ts';
import { add, makeBuiltObject, makeObject, type StoreObject } from '../support/store-objects.ts';
import { StoreProcess } from '../support/store-process-control.ts';
import { file } from '../support/trees.ts';

const LEAF = makeObject('leaf', file('leaf'));
const USER = makeObject('user', file('user'), { references: [LEAF.info.path] });
const TOP = await makeBuiltObject('top', file('top'), { references: [USER.info.path], self: true });
const OTHER = makeObject('other', file('other'));

const states = (outcomes: readonly RegisterOutcome[]): string[] =>
  outcomes.map((outcome) => (outcome.state === 'failed' ? outcome.error.code : outcome.state));

const path = ({ info }: StoreObject): StorePath => info.path;

/** What lies in the store directory, but for staging directories. */
const entries = (store: LocalStore): string[] =>
  readdirSync(store.realStoreDir).filter((name) => name !== '.links' && !name.includes('tmp-sluice'));

/** The parts of a store, to be replaced one by one. */
async function openContext(store: LocalStore, resources: AsyncDisposableStack): Promise<RegisterContext> {
  await store.isValidPath(LEAF.info.path);
  const libc = loadLibc();
  const options = { create: false, readOnly: false, fsyncMetadata: true };
  const connection = loadSqlite()(join(store.stateDir, 'db/db.sqlite'), options);
  const database = resources.use(new StoreDatabase(connection, DEFAULT_STORE_DIR));
  const tempRoots = resources.use(new TempRoots(libc, store.stateDir));
  const { storeDir, realStoreDir } = store;
  const derivations = new DerivationReader(store);
  return { libc, database, derivations, tempRoots, storeDir, realStoreDir, fsyncStorePaths: true };
}

describe('registration', () => {
  test('makes a batch valid and leaves no lock file', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const outcomes = await store.registerStaged(stage(staging, LEAF, USER, TOP));
    assert.deepEqual(
      outcomes.map((outcome) => [outcome.path, outcome.state]),
      [LEAF, USER, TOP].map((object) => [path(object), 'registered']),
    );
    assert.deepEqual(await store.queryAllValidPaths(), [LEAF, USER, TOP].map(path));
    assert.deepEqual(entries(store), [LEAF, USER, TOP].map(path).sort());
    assert.deepEqual(readdirSync(staging.dir), []);
  });

  test('says so of what is valid already, and keeps that', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    await add(store, LEAF);
    const batch = stage(staging, LEAF, USER);
    assert.deepEqual(states(await store.registerStaged(batch)), ['alreadyValid', 'registered']);
    assert.ok(existsSync(batch[0]!.location));
  });

  test('answers for each of a batch that has a path twice', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const [leaf] = stage(staging, LEAF);
    assert.deepEqual(states(await store.registerStaged([leaf!, leaf!])), ['registered', 'registered']);
  });

  test('fails a path whose references are not valid, and who needs it, and nobody else', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const batch = stage(staging, USER, TOP, OTHER);
    const outcomes = await store.registerStaged(batch);
    assert.deepEqual(states(outcomes), ['ERR_INCOMPLETE_CLOSURE', 'ERR_INCOMPLETE_CLOSURE', 'registered']);
    const [user] = outcomes;
    assert.ok(user?.state === 'failed' && user.error instanceof IncompleteClosureError);
    assert.match(user.error.message, new RegExp(`'/nix/store/${path(USER)}': '/nix/store/${path(LEAF)}'`));
    assert.deepEqual(entries(store), [path(OTHER)]);
    assert.deepEqual(
      batch.map(({ location }) => existsSync(location)),
      [true, true, false],
      'kept in staging',
    );
  });

  test('fails a path that cannot be moved, and who needs it, and nobody else', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const batch = stage(staging, LEAF, USER, OTHER);
    rmSync(batch[0]!.location);
    const outcomes = await store.registerStaged(batch);
    assert.deepEqual(states(outcomes), ['ERR_STORE', 'ERR_INCOMPLETE_CLOSURE', 'registered']);
    assert.ok(outcomes[0]?.state === 'failed');
    assert.match(outcomes[0].error.message, new RegExp(`cannot register '/nix/store/${path(LEAF)}': ENOENT`));
  });

  test('replaces what somebody left who died on the way', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const batch = stage(staging, numberedObject(0));
    const realPath = store.realPath(batch[0]!.info.path);
    mkdirSync(join(realPath, 'half/done'), { recursive: true });
    assert.deepEqual(states(await store.registerStaged(batch)), ['registered']);
    assert.deepEqual(readdirSync(realPath), ['inner']);
    assert.deepEqual(readdirSync(staging.dir), [], 'the leftover is gone');
  });

  test('puts off a path that somebody else makes, with who needs it, and goes on with the rest', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const lock = tryLockPath(loadLibc(), store.realPath(path(LEAF)));
    const told: string[] = [];
    const onOutcome = (outcome: RegisterOutcome): void => {
      told.push(outcome.path);
      if (outcome.path === path(OTHER)) lock?.[Symbol.dispose](); // the rest is done: the others may go on
    };
    const outcomes = await store.registerStaged(stage(staging, LEAF, USER, TOP, OTHER), { onOutcome });
    assert.deepEqual(states(outcomes), ['registered', 'registered', 'registered', 'registered']);
    assert.deepEqual(told, [OTHER, LEAF, USER, TOP].map(path));
  });

  describe('of paths that become valid together', () => {
    const together = [LEAF, USER, TOP].map(path);
    const joined = (batch: readonly StagedPath[]): StagedPath[] =>
      batch.map((staged) => (together.includes(staged.info.path) ? { ...staged, together } : staged));

    test('makes all of them valid', async () => {
      await using resources = new AsyncDisposableStack();
      const { store, staging } = await emptyStore(resources);
      const outcomes = await store.registerStaged(joined(stage(staging, LEAF, OTHER, USER, TOP)));
      assert.deepEqual(states(outcomes), Array(4).fill('registered'));
    });

    test('makes none of them valid where one cannot be moved, and takes the others back', async () => {
      await using resources = new AsyncDisposableStack();
      const { store, staging } = await emptyStore(resources);
      const batch = joined(stage(staging, LEAF, USER, OTHER, TOP));
      rmSync(batch[3]!.location);
      const outcomes = await store.registerStaged(batch);
      assert.deepEqual(states(outcomes), ['ERR_STORE', 'ERR_STORE', 'registered', 'ERR_STORE']);
      assert.ok(outcomes[0]?.state === 'failed');
      assert.match(
        outcomes[0].error.message,
        new RegExp(`${path(LEAF)}' without what was made with it: cannot register '/nix/store/${path(TOP)}': ENOENT`),
      );
      assert.deepEqual(entries(store), [path(OTHER)]);
      assert.ok(existsSync(batch[0]!.location));
    });

    test('makes none of them valid where a reference of one is not, and undoes the rows of the others', async () => {
      await using resources = new AsyncDisposableStack();
      const { store, staging } = await emptyStore(resources);
      const missing = numberedObject(1).info.path;
      const [leaf, user, other, top] = joined(stage(staging, LEAF, USER, OTHER, TOP));
      const broken = { ...top!, info: { ...top!.info, references: [...top!.info.references, missing] } };
      const outcomes = await store.registerStaged([leaf!, user!, other!, broken]);
      assert.deepEqual(states(outcomes), ['ERR_STORE', 'ERR_STORE', 'registered', 'ERR_INCOMPLETE_CLOSURE']);
      assert.deepEqual(await store.queryAllValidPaths(), [path(OTHER)]);
      assert.deepEqual(entries(store), [path(OTHER)]);
    });

    test('takes one that is valid already for done', async () => {
      await using resources = new AsyncDisposableStack();
      const { store, staging } = await emptyStore(resources);
      await add(store, LEAF);
      const outcomes = await store.registerStaged(joined(stage(staging, LEAF, USER, TOP)));
      assert.deepEqual(states(outcomes), ['alreadyValid', 'registered', 'registered']);
    });

    test('puts all of them off where somebody else makes one', async () => {
      await using resources = new AsyncDisposableStack();
      const { store, staging } = await emptyStore(resources);
      const lock = tryLockPath(loadLibc(), store.realPath(path(TOP)));
      const told: string[] = [];
      const onOutcome = (outcome: RegisterOutcome): void => {
        told.push(outcome.path);
        if (outcome.path === path(OTHER)) lock?.[Symbol.dispose]();
      };
      await store.registerStaged(joined(stage(staging, LEAF, USER, OTHER, TOP)), { onOutcome });
      assert.deepEqual(told, [OTHER, LEAF, USER, TOP].map(path));
    });
  });

  test('of a path that somebody else made valid under the lock is not needed any more', async () => {
    await using resources = new AsyncDisposableStack();
    const { root, store, staging } = await emptyStore(resources);
    const other = await openTestStore(root, resources);
    const batch = stage(staging, LEAF, OTHER);
    const lock = tryLockPath(loadLibc(), store.realPath(path(LEAF)));
    let adding: Promise<void> | undefined;
    const onOutcome = (outcome: RegisterOutcome): void => {
      if (outcome.path !== path(OTHER)) return;
      lock?.[Symbol.dispose]();
      adding = add(other, LEAF);
    };
    const [leaf] = await store.registerStaged(batch, { onOutcome });
    await adding;
    assert.ok(leaf?.state === 'registered' || leaf?.state === 'alreadyValid');
    assert.equal((await store.queryAllValidPaths()).length, 2);
  });

  test('that waits for a lock ends when its signal says so', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    using _lock = tryLockPath(loadLibc(), store.realPath(path(LEAF)));
    const controller = new AbortController();
    const reason = new Error('not needed');
    const onOutcome = (): void => controller.abort(reason);
    const registering = store.registerStaged(stage(staging, LEAF, OTHER), { signal: controller.signal, onOutcome });
    await assert.rejects(registering, (error: Error) => error === reason || error.cause === reason);
    assert.deepEqual(await store.queryAllValidPaths(), [path(OTHER)]);
  });

  test('moves everything back when the contents cannot be made durable', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const context = await openContext(store, resources);
    const libc: Libc = { ...context.libc, syncFileSystem: () => Promise.reject(new StoreError('disk is broken')) };
    const batch = stage(staging, LEAF, USER);
    assert.deepEqual(states(await registerStaged({ ...context, libc }, batch)), ['ERR_STORE', 'ERR_STORE']);
    assert.deepEqual(entries(store), []);
    assert.ok(batch.every(({ location }) => existsSync(location)));
    assert.deepEqual(
      states(await registerStaged(context, batch)),
      ['registered', 'registered'],
      'and can be tried again',
    );
  });

  test('makes nothing valid before contents and names are durable', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const context = await openContext(store, resources);
    const seen: unknown[] = [];
    const libc: Libc = {
      ...context.libc,
      syncFileSystem: async () => {
        seen.push(existsSync(store.realPath(path(LEAF))), await store.isValidPath(path(LEAF)));
      },
    };
    await registerStaged({ ...context, libc }, stage(staging, LEAF));
    assert.deepEqual(seen, [true, false]);
    await registerStaged({ ...context, libc, fsyncStorePaths: false }, stage(staging, OTHER));
    assert.equal(seen.length, 2, 'once, and not where it is switched off');
  });

  test('tells in a later group why what it refers to is not valid', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    await store.isValidPath(path(LEAF));
    const options = { create: false, readOnly: false, fsyncMetadata: true };
    const connection = loadSqlite()(join(store.stateDir, 'db/db.sqlite'), options);
    resources.defer(() => void connection.close());
    const isLeaf = "when new.path like '%-leaf' begin select raise(abort, 'as asked'); end";
    connection.exec(`create trigger T before insert on ValidPaths ${isLeaf}`);
    const others = Array.from({ length: 511 }, (_, number) => numberedObject(number));
    const outcomes = await store.registerStaged(stage(staging, LEAF, ...others, USER));
    const last = outcomes.at(-1);
    assert.ok(last?.state === 'failed' && last.error instanceof IncompleteClosureError);
    assert.match(String(last.error.cause), /database '.*': as asked/);
  });

  test('moves everything back when the database fails', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    await store.isValidPath(path(LEAF));
    const options = { create: false, readOnly: false, fsyncMetadata: true };
    const connection = loadSqlite()(join(store.stateDir, 'db/db.sqlite'), options);
    resources.defer(() => void connection.close());
    connection.exec("create trigger T before insert on Refs begin select raise(abort, 'as asked'); end");
    const batch = stage(staging, LEAF, USER);
    const outcomes = await store.registerStaged(batch);
    assert.deepEqual(states(outcomes), ['ERR_STORE', 'ERR_STORE']);
    assert.deepEqual(await store.queryAllValidPaths(), []);
    assert.deepEqual(entries(store), []);
    connection.exec('drop trigger T');
    assert.deepEqual(states(await store.registerStaged(batch)), ['registered', 'registered']);
  });

  test('refuses names that no store path has before anything is made of them', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const [staged] = stage(staging, LEAF);
    const bad = '../../escaped' as StorePath;
    const plain = { ...LEAF.info, contentAddress: undefined };
    const [named, referring] = await store.registerStaged([
      { ...staged!, info: { ...plain, path: bad } },
      { ...staged!, info: { ...plain, references: [bad] } },
    ]);
    assert.ok(named?.state === 'failed' && referring?.state === 'failed');
    assert.match(named.error.message, /cannot register .*: invalid store path/);
    assert.equal(existsSync(join(store.realStoreDir, '../../escaped.lock')), false);
    const [roots] = readdirSync(join(store.stateDir, 'temproots'));
    assert.ok(!readFileSync(join(store.stateDir, 'temproots', roots!), 'latin1').includes('escaped'));
  });

  test('stays done when its listener throws', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const failure = new Error('a mistake');
    const onOutcome = (): never => {
      throw failure;
    };
    await assert.rejects(store.registerStaged(stage(staging, LEAF, OTHER), { onOutcome }), failure);
    for (const object of [LEAF, OTHER]) {
      assert.ok(await store.isValidPath(path(object)));
      assert.ok(existsSync(store.realPath(path(object))));
    }
  });

  test('of the same paths by two processes at once: each is registered by one of them', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const count = 300;
    const processes = [0, 1].map(() => resources.use(StoreProcess.start('register', root, String(count))));
    for (const each of processes) assert.equal(await each.answer(), 'staged');
    for (const each of processes) each.goOn();
    const [first, second] = (await Promise.all(processes.map((each) => each.answer()))) as [string[], string[]];
    for (let id = 0; id < count; id++) {
      assert.deepEqual([first[id], second[id]].sort(), ['alreadyValid', 'registered'], `object ${id}`);
    }
    const store = await openTestStore(root, resources);
    assert.equal((await store.queryAllValidPaths()).length, count);
    assert.deepEqual(entries(store).length, count);
  });

  test('killed at any time leaves valid paths and leftovers that the next replaces', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const objects = Array.from({ length: 300 }, (_, id) => numberedObject(id));
    for (let round = 0; round < 4; round++) {
      const victim = resources.use(StoreProcess.start('register', root, '300'));
      await victim.answer();
      victim.goOn();
      for (let turn = 0; turn < round * 200; turn++) await new Promise(setImmediate);
      await victim.kill();
      const store = await openTestStore(root, resources);
      const valid = await store.queryAllValidPaths();
      assert.ok(valid.every((each) => existsSync(join(store.realPath(each), 'inner/file'))));
      await store[Symbol.asyncDispose]();
    }
    const store = await openTestStore(root, resources);
    const staging = resources.use(await store.openStaging());
    const batch: StagedPath[] = stage(staging, ...objects);
    assert.ok((await store.registerStaged(batch)).every(({ state }) => state !== 'failed'));
    assert.deepEqual(
      entries(store).filter((name) => !name.endsWith('.lock')),
      objects.map(path).sort(),
    );
  });

  test('of very many paths lets the event loop go on', async () => {
    await using resources = new AsyncDisposableStack();
    const { store, staging } = await emptyStore(resources);
    const [staged] = stage(staging, LEAF);
    const batch = Array.from({ length: 1_500 }, (_, id) => {
      const location = join(staging.dir, `flat-${id}`);
      writeFileSync(location, '');
      return { info: { ...numberedObject(id).info, contentAddress: undefined }, location };
    });
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    resources.defer(() => clearInterval(ticking));
    const outcomes = await store.registerStaged([staged!, ...batch]);
    assert.ok(outcomes.every(({ state }) => state === 'registered'));
    assert.ok(turns >= 3, `${turns} turns`);
  });
});
