import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  HashMismatchError,
  NoSubstitutersError,
  type SluiceError,
  StoreError,
  TransferError,
} from '../../src/errors.ts';
import { parseHash } from '../../src/formats/hash.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import type { ClaimState, FailedResult, GoalResult, LocalGoalContext, WaitResult } from '../../src/goals/goal.ts';
import { SubstitutionGoal } from '../../src/goals/substitution-goal.ts';
import { SpaceClaim } from '../../src/stores/free-space.ts';
import type { Store } from '../../src/stores/store.ts';
import { Trust } from '../../src/stores/trust.ts';
import { Substituter } from '../../src/substituters/substituter.ts';

const path = (name: string): StorePath => parseBaseName(`${'0'.repeat(32)}-${name}`);
const app = path('app');
const library = path('library');

function info(references: readonly StorePath[] = []): PathInfo {
  const narHash = parseHash(`sha256:${'0'.repeat(64)}`);
  return { path: app, narHash, narSize: 120, references, signatures: [], ultimate: true, registrationTime: 1 };
}

/** A substituter that answers queries as it is told; its NARs are the business of the context's jobs. */
function substituter(uri: string, query: () => PathInfo | undefined): Store {
  return {
    uri,
    openUri: uri,
    storeDir: DEFAULT_STORE_DIR,
    queryPathInfo: async () => query(),
    isValidPath: async () => query() !== undefined,
    narFromPath: () => Promise.reject(new Error('unreachable')),
    addToStore: () => Promise.reject(new Error('unreachable')),
    [Symbol.asyncDispose]: async () => {},
  };
}

function watched(store: Store): Substituter {
  return new Substituter(store, { connectTimeout: 0, connections: 0 });
}

interface FakeOptions {
  readonly substituters?: readonly Store[];
  readonly valid?: boolean;
  readonly requireSigs?: boolean;
  readonly references?: Promise<WaitResult>;
  /** What a transfer from each URI comes to; by default it succeeds. */
  readonly transfer?: (from: string, signal: AbortSignal) => Promise<void>;
  /** What comes of trying the path's lock, and of waiting for it. */
  readonly lock?: ClaimState;
  readonly lockLater?: 'granted' | 'valid';
  readonly register?: (signal: AbortSignal) => Promise<void>;
  /** What happens while room is made for the path. */
  readonly claimSpace?: () => void;
  /** Called when a transfer is told to have started. */
  readonly started?: () => void;
}

/** Runs the goal in a context that answers by hand, and says what it did, in order. */
async function run(options: FakeOptions, cancelled?: AbortSignal): Promise<[GoalResult, string[]]> {
  const did: string[] = [];
  const controller = new AbortController();
  cancelled?.addEventListener('abort', () => controller.abort(cancelled.reason));
  const context: LocalGoalContext = {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    substituters: () => (options.substituters ?? []).map(watched),
    claim: () => ({
      isLocked: true,
      tryTake: async () => {
        did.push('try lock');
        return options.lock ?? 'granted';
      },
      take: async () => {
        did.push('wait for lock');
        return options.lockLater ?? 'granted';
      },
      [Symbol.dispose]: () => did.push('unlock'),
    }),
    partialLocation: async () => undefined,
    events: {
      emit: (event, ...[view]) => {
        if (event === 'transferStarted') options.started?.();
        if (event !== 'substituterFailed') return true;
        const { substituter, error, next } = view as { substituter: string; error: SluiceError; next: string };
        did.push(`${substituter} failed with ${error.code}, next ${next}`);
        return true;
      },
    },
    isValidPath: async () => options.valid ?? false,
    waitFor: (paths) => {
      did.push(`wait for ${paths.join(' ') || 'nothing'}`);
      return options.references ?? Promise.resolve({ ok: true });
    },
    slot: async () => {
      did.push('take slot');
      const lease = new DisposableStack();
      lease.defer(() => did.push('give slot back'));
      return lease;
    },
    runJob: async (_name, request, { signal: job }) => {
      const { from } = request as { from: string };
      did.push(`transfer from ${from}`);
      await options.transfer?.(from, job);
      return { downloadedBytes: 1, timings: { wait: 0, unpack: 0 }, retries: 0 } as never;
    },
    claimSpace: async () => {
      options.claimSpace?.();
      return new SpaceClaim(0, new Set());
    },
    stagingLocation: async () => '/staging/app',
    discard: async (location) => void did.push(`discard ${location}`),
    register: async ({ location, info: { ultimate, registrationTime } }, registering) => {
      assert.deepEqual([ultimate, registrationTime], [false, undefined], 'a copy is not built here');
      did.push(`register ${location}`);
      await options.register?.(registering);
    },
  };
  const trust = new Trust({ requireSigs: options.requireSigs ?? false, trustedPublicKeys: [] });
  const goal = new SubstitutionGoal(app, DEFAULT_STORE_DIR, trust);
  return [await goal.run(context), did];
}

const has = (uri: string, ...references: StorePath[]): Store => substituter(uri, () => info(references));
const hasNot = (uri: string): Store => substituter(uri, () => undefined);
const broken = (uri: string): Store =>
  substituter(uri, () => {
    throw new TransferError('as asked', { status: 500 });
  });

/** Rejects when the signal aborts, with its reason. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

const failed = (result: FailedResult): Promise<WaitResult> =>
  Promise.resolve({ ok: false, path: library, result, failures: 1 });

describe('a substitution goal', () => {
  test('has nothing to do where the path is valid', async () => {
    assert.deepEqual(await run({ valid: true, substituters: [broken('a')] }), [
      { state: 'succeeded', how: 'alreadyValid' },
      [],
    ]);
  });

  test('transfers beside its references, gives the slot back, and then registers', async () => {
    const [result, did] = await run({ substituters: [hasNot('a'), has('b', library, app)] });
    assert.deepEqual(result, { state: 'succeeded', how: 'substituted' });
    assert.deepEqual(did, [
      `wait for ${library}`,
      'take slot',
      'try lock',
      'transfer from b',
      'give slot back',
      'register /staging/app',
      'unlock',
    ]);
  });

  test('waits without a slot for a process that makes the path, and transfers it where that one did not', async () => {
    const [result, did] = await run({ substituters: [has('a')], lock: 'taken' });
    assert.deepEqual(result, { state: 'succeeded', how: 'substituted' });
    assert.deepEqual(did.slice(1, -2), [
      'take slot',
      'try lock',
      'give slot back',
      'wait for lock',
      'take slot',
      'transfer from a',
      'give slot back',
    ]);
  });

  test('transfers nothing where another process has made the path valid', async () => {
    for (const options of [{ lock: 'valid' }, { lock: 'taken', lockLater: 'valid' }] as const) {
      const [result, did] = await run({ substituters: [has('a')], ...options });
      assert.deepEqual(result, { state: 'succeeded', how: 'alreadyValid' });
      assert.ok(!did.some((step) => /transfer|register/.test(step)));
      assert.equal(did.filter((step) => step === 'take slot').length, 1);
      assert.equal(did.at(-1), 'unlock');
    }
  });

  test('tries the next substituter when a query fails', async () => {
    const [result, did] = await run({ substituters: [broken('a'), has('b')] });
    assert.equal(result.state, 'succeeded');
    assert.equal(did[0], 'a failed with ERR_TRANSFER, next b');
  });

  test('tries the next substituter when the contents are wrong', async () => {
    const transfer = async (from: string): Promise<void> => {
      if (from === 'a') throw new HashMismatchError('NAR', 'one', 'another');
    };
    const [result, did] = await run({ substituters: [has('a'), has('b')], transfer });
    assert.equal(result.state, 'succeeded');
    assert.ok(did.includes('a failed with ERR_HASH_MISMATCH, next b'));
    assert.equal(did.filter((step) => step === 'give slot back').length, 2);
  });

  test('follows no references of what nobody trusted claims to have signed', async () => {
    const [result, did] = await run({ substituters: [has('a', library)], requireSigs: true });
    assert.ok(result.state === 'failed');
    assert.equal(result.failure.code, 'ERR_UNTRUSTED');
    assert.deepEqual(did, ['a failed with ERR_UNTRUSTED, next undefined']);
  });

  test('says that no substituter has the path, and which were asked', async () => {
    const [result] = await run({ substituters: [hasNot('a'), hasNot('b')] });
    assert.ok(result.state === 'noSubstituters');
    assert.match(result.failure.message, /no substituter has path '\/nix\/store\/0{32}-app'/);
    assert.equal(result.failure.hint, "asked: 'a', 'b'");
  });

  test('fails with the last error when a substituter could not say', async () => {
    const [result] = await run({ substituters: [broken('a'), hasNot('b')] });
    assert.ok(result.state === 'failed');
    assert.equal(result.failure.code, 'ERR_TRANSFER');
  });

  test('asks no other substituter when the local disk is full', async () => {
    const transfer = async (): Promise<void> => {
      throw new StoreError('no space left on device');
    };
    const [result, did] = await run({ substituters: [has('a'), has('b')], transfer });
    assert.ok(result.state === 'failed');
    assert.equal(result.failure.code, 'ERR_STORE');
    assert.ok(!did.includes('transfer from b'));
  });

  const failure = new NoSubstitutersError('as asked');
  for (const [reference, ended] of [
    ['noSubstituters', 'incompleteClosure'],
    ['incompleteClosure', 'incompleteClosure'],
    ['failed', 'failed'],
  ] as const) {
    test(`stops its transfer and ends as ${ended} when a reference ends as ${reference}`, async () => {
      const { promise: references, resolve } = Promise.withResolvers<WaitResult>();
      const transfer = (_from: string, signal: AbortSignal): Promise<never> => {
        resolve(failed({ state: reference, failure }));
        return untilAborted(signal);
      };
      const [result, did] = await run({ substituters: [has('a', library), has('b')], references, transfer });
      assert.ok(result.state === ended);
      assert.equal(result.failure.code, 'ERR_INCOMPLETE_CLOSURE');
      assert.match(result.failure.message, /'.*-app' needs '.*-library'/);
      assert.equal(result.failure.cause, failure);
      assert.deepEqual(did.slice(1), ['take slot', 'try lock', 'transfer from a', 'give slot back', 'unlock']);
    });
  }

  test('discards what it staged when a reference fails afterwards', async () => {
    const { promise: references, resolve } = Promise.withResolvers<WaitResult>();
    const register = (signal: AbortSignal): Promise<never> => {
      resolve({ ok: false, path: library, result: { state: 'noSubstituters', failure }, failures: 1 });
      return untilAborted(signal);
    };
    const [result, did] = await run({ substituters: [has('a', library)], references, register });
    assert.equal(result.state, 'incompleteClosure');
    assert.deepEqual(did.slice(-2), ['discard /staging/app', 'unlock']);
  });

  test('fails, and discards what it staged, when it cannot be registered', async () => {
    const register = async (): Promise<void> => {
      throw new StoreError('database is read-only');
    };
    const [result, did] = await run({ substituters: [has('a'), has('b')], register });
    assert.ok(result.state === 'failed');
    assert.equal(result.failure.code, 'ERR_STORE');
    assert.deepEqual(did.slice(-2), ['discard /staging/app', 'unlock']);
  });

  test('throws the reason when it is cancelled, without asking anybody else', async () => {
    const controller = new AbortController();
    const reason = new Error('not needed');
    const transfer = (_from: string, signal: AbortSignal): Promise<never> => {
      const aborted = untilAborted(signal);
      controller.abort(reason);
      return aborted;
    };
    await assert.rejects(run({ substituters: [has('a'), broken('b')], transfer }, controller.signal), reason);
  });

  test('says nothing of a transfer that is cancelled before it starts', async () => {
    const controller = new AbortController();
    const reason = new Error('not needed');
    let told = 0;
    const options = {
      substituters: [has('a')],
      claimSpace: () => controller.abort(reason),
      started: () => {
        told++;
      },
    };
    await assert.rejects(run(options, controller.signal), reason);
    assert.equal(told, 0);
  });
});
