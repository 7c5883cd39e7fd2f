import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { PathClaim } from '../../src/goals/goal.ts';
import { PathClaims } from '../../src/scheduler/path-claims.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { openTestStore, stage, temporaryDirectory } from '../support/local-store.ts';
import { makeObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const object = makeObject('object', file('contents'));
const { path } = object.info;
const never = new AbortController().signal;

interface Fixture {
  readonly store: LocalStore;
  readonly claim: PathClaim;
  /** What another process does. */
  readonly other: PathClaim;
}

async function withStore(action: (fixture: Fixture) => Promise<void>): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const store = await openTestStore(await temporaryDirectory(resources), resources);
  const claim = resources.use(new PathClaims(store).claim(path));
  const other = resources.use(new PathClaims(store).claim(path));
  await action({ store, claim, other });
}

const lockFile = (store: LocalStore): string => `${store.realPath(path)}.lock`;

/** Registers the object as who holds its lock. */
async function registerLocked(store: LocalStore): Promise<void> {
  await using staging = await store.openStaging();
  const [staged] = stage(staging, object);
  const [outcome] = await store.registerStaged([{ ...staged!, isLocked: true }]);
  assert.equal(outcome?.state, 'registered');
}

describe('a claim to a path', () => {
  test('locks nothing before it is asked for, and lets go when it is disposed', () =>
    withStore(async ({ store, claim }) => {
      assert.equal(existsSync(lockFile(store)), false);
      assert.equal(await claim.tryTake(), 'granted');
      assert.ok(claim.isLocked && existsSync(lockFile(store)));
      claim[Symbol.dispose]();
      assert.equal(existsSync(lockFile(store)), false);
    }));

  test('is granted to one at a time; the next has it when the first lets go', () =>
    withStore(async ({ claim, other }) => {
      assert.equal(await other.tryTake(), 'granted');
      assert.equal(await claim.tryTake(), 'taken');
      let hasIt = false;
      const taking = claim.take(never).then((state) => {
        hasIt = true;
        return state;
      });
      for (let turn = 0; turn < 20; turn++) await setImmediate();
      assert.equal(hasIt, false);
      other[Symbol.dispose]();
      assert.equal(await taking, 'granted');
      assert.ok(claim.isLocked);
    }));

  test('says that the path is valid where the other has made it, and holds no lock then', () =>
    withStore(async ({ store, claim, other }) => {
      assert.equal(await other.tryTake(), 'granted');
      const taking = claim.take(never);
      await registerLocked(store);
      other[Symbol.dispose]();
      assert.equal(await taking, 'valid');
      assert.equal(claim.isLocked, false);
      assert.equal(existsSync(lockFile(store)), false);
    }));

  test('is not waited for any longer than its signal allows', () =>
    withStore(async ({ store, claim, other }) => {
      await other.tryTake();
      const controller = new AbortController();
      const taking = claim.take(controller.signal);
      const reason = new Error('not needed');
      controller.abort(reason);
      await assert.rejects(taking, reason);
      other[Symbol.dispose]();
      assert.equal(existsSync(lockFile(store)), false);
    }));

  test('is granted without a lock where many are held', () =>
    withStore(async ({ store }) => {
      const claims = new PathClaims(store, 1);
      const second = makeObject('second', file('second')).info.path;
      using first = claims.claim(path);
      using beyond = claims.claim(second);
      assert.deepEqual([await first.tryTake(), await beyond.tryTake()], ['granted', 'granted']);
      assert.deepEqual([first.isLocked, beyond.isLocked], [true, false]);
      first[Symbol.dispose]();
      using later = claims.claim(second);
      await later.tryTake();
      assert.ok(later.isLocked);
    }));
});
