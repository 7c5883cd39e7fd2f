import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TransferError } from '../../src/errors.ts';
import type { Machine } from '../../src/formats/machines.ts';
import { type MachineSlot, Machines, type SharedSlots } from '../../src/scheduler/machines.ts';

const machine = (name: string, more: Partial<Machine> = {}): Machine => ({
  store: `ssh://${name}`,
  systems: ['x86_64-linux'],
  maxJobs: 2,
  speedFactor: 1,
  supportedFeatures: [],
  mandatoryFeatures: [],
  ...more,
});

/** Slots that other processes have, by `URI-NUMBER`. */
class OtherProcesses implements SharedSlots {
  readonly taken: Set<string> = new Set();
  isBusy: boolean = false;

  whileLocked<T>(action: () => T): T | undefined {
    return this.isBusy ? undefined : action();
  }

  trySlot(uri: string, slot: number): Disposable | undefined {
    const name = `${uri}-${slot}`;
    if (this.taken.has(name)) return undefined;
    this.taken.add(name);
    const lock = new DisposableStack();
    lock.defer(() => this.taken.delete(name));
    return lock;
  }
}

const need = (...features: readonly string[]) => ({ system: 'x86_64-linux', features });
const { signal } = new AbortController();
const unreachable = new TransferError('cannot be reached');

function open(machines: readonly Machine[], now?: () => number): { machines: Machines; shared: OtherProcesses } {
  const shared = new OtherProcesses();
  return { machines: new Machines({ machines, shared, now }), shared };
}

/** Takes slots until there are none, and says of which machines. */
function takeAll(machines: Machines, ...features: readonly string[]): string[] {
  const taken: MachineSlot[] = [];
  for (let slot = machines.tryAcquire(need(...features)); slot; slot = machines.tryAcquire(need(...features)))
    taken.push(slot);
  return taken.map((slot) => slot.machine.store.slice('ssh://'.length));
}

describe('machines', () => {
  /** As build-remote of Nix 2.35 would choose. */
  for (const [what, given, features, wanted] of [
    ['share work by load', [machine('a'), machine('b')], [], 'a b a b'],
    [
      'get more of it the faster they are',
      [machine('a'), machine('b', { speedFactor: 2, maxJobs: 3 })],
      [],
      'b a b b a',
    ],
    ['of the same load by speed come by speed', [machine('a'), machine('b', { speedFactor: 1.5 })], [], 'b a b a'],
    [
      'get only what they have the features for',
      [machine('a'), machine('b', { supportedFeatures: ['kvm'] })],
      ['kvm'],
      'b b',
    ],
    ['keep to what wants their mandatory features', [machine('a', { mandatoryFeatures: ['big'] })], [], ''],
    ['count mandatory features as features', [machine('a', { mandatoryFeatures: ['big'] })], ['big'], 'a a'],
    ['of other systems get nothing', [machine('a', { systems: ['riscv64-linux'] })], [], ''],
  ] as const) {
    test(what, () => assert.equal(takeAll(open(given).machines, ...features).join(' '), wanted));
  }

  test('count what other processes build there', () => {
    const { machines, shared } = open([machine('a', { maxJobs: 3 }), machine('b', { maxJobs: 3 })]);
    for (const slot of [0, 1]) shared.taken.add(`ssh://a-${slot}`);
    assert.equal(takeAll(machines).join(' '), 'b b a b');
  });

  test('leave no slot taken that was only looked at', () => {
    const { machines, shared } = open([machine('a'), machine('b')]);
    using _slot = machines.tryAcquire(need())!;
    assert.deepEqual([...shared.taken], ['ssh://a-0']);
  });

  test('give a slot that comes back to the one with the highest priority, whatever it needs', async () => {
    const { machines } = open([machine('a', { maxJobs: 1, supportedFeatures: ['kvm'] })]);
    const held = machines.tryAcquire(need())!;
    const served: string[] = [];
    const wait = async (name: string, priority: number, ...features: string[]): Promise<void> => {
      using _slot = await machines.acquire(need(...features), priority, signal);
      served.push(name);
    };
    const all = [wait('low', 1), wait('high', 3, 'kvm'), wait('middle', 2)];
    held[Symbol.dispose]();
    held[Symbol.dispose]();
    await Promise.all(all);
    assert.deepEqual(served, ['high', 'middle', 'low']);
    assert.equal(machines.taken, 0);
  });

  test('give the slot to the next where one has been built, and only its outputs are missing', async () => {
    const { machines, shared } = open([machine('a', { maxJobs: 1 })]);
    using first = machines.tryAcquire(need())!;
    const waiting = machines.acquire(need(), 0, signal);
    first.built();
    using second = await waiting;
    assert.deepEqual([...shared.taken], ['ssh://a-0']);
    assert.equal(machines.taken, 1);
    first.built();
    first[Symbol.dispose]();
    assert.equal(machines.taken, 1, 'that of the second');
    second[Symbol.dispose]();
    assert.deepEqual([machines.taken, shared.taken.size], [0, 0]);
  });

  test('build no further than one slot ahead of what is fetched from them', () => {
    const { machines } = open([machine('a', { maxJobs: 1 })]);
    using fetching = machines.tryAcquire(need())!;
    fetching.built();
    using next = machines.tryAcquire(need())!;
    next.built();
    assert.equal(machines.tryAcquire(need()), undefined);
    fetching[Symbol.dispose]();
    assert.equal(machines.tryAcquire(need()), undefined, 'the next still has its slot');
    next[Symbol.dispose]();
    using last = machines.tryAcquire(need())!;
    last.built();
    using _more = machines.tryAcquire(need())!;
  });

  test('that break off while outputs are fetched are set aside', () => {
    const { machines } = open([machine('a')]);
    using slot = machines.tryAcquire(need())!;
    slot.built();
    slot.failed(unreachable);
    assert.equal(machines.tryAcquire(need()), undefined);
  });

  test('give nothing to who has left', async () => {
    const { machines } = open([machine('a', { maxJobs: 1 })]);
    const held = machines.tryAcquire(need())!;
    const controller = new AbortController();
    const waiting = machines.acquire(need(), 0, controller.signal);
    held[Symbol.dispose]();
    controller.abort(new Error('stop')); // after it was given the slot
    await assert.rejects(waiting, /stop/);
    assert.equal(machines.taken, 0);
  });

  test('that cannot be reached are set aside for a while, and then tried by one', () => {
    let now = 0;
    const { machines } = open([machine('a')], () => now);
    const slot = machines.tryAcquire(need())!;
    slot.failed(unreachable);
    slot[Symbol.dispose]();
    assert.equal(machines.tryAcquire(need()), undefined);
    assert.equal(machines.supports(need()), true, 'it may come back');
    now = 2_000;
    using trying = machines.tryAcquire(need())!;
    assert.equal(machines.tryAcquire(need()), undefined, 'one is enough to see');
    trying.succeeded();
    assert.ok(machines.tryAcquire(need()));
  });

  test('that were set aside are tried again only where none that works has a slot', () => {
    let now = 0;
    const { machines } = open([machine('a', { speedFactor: 9 }), machine('b')], () => now);
    {
      using first = machines.tryAcquire(need())!;
      assert.equal(first.machine.store, 'ssh://a');
      first.failed(unreachable);
    }
    now = 10_000;
    assert.deepEqual(takeAll(machines), ['b', 'b', 'a']);
  });

  test('that stay away are given up, and who waits is told why', async () => {
    let now = 0;
    const { machines } = open([machine('a', { maxJobs: 1 })], () => now);
    let tries = 0;
    const tryForEver = async (): Promise<never> => {
      for (;;) {
        using slot = await machines.acquire(need(), 0, signal);
        tries++;
        slot.failed(unreachable);
        now += 1e6;
      }
    };
    const gone = { code: 'ERR_BUILD', message: 'no machine is left that builds for x86_64-linux: cannot be reached' };
    await Promise.all([assert.rejects(tryForEver(), gone), assert.rejects(tryForEver(), gone)]);
    assert.equal(tries, 5);
    assert.equal(machines.supports(need()), false);
    assert.equal(machines.lostFor(need()), unreachable);
  });

  test('are asked again soon where another process looks at them', async () => {
    const { machines, shared } = open([machine('a')]);
    shared.isBusy = true;
    const waiting = machines.acquire(need(), 0, signal);
    shared.isBusy = false;
    using slot = await waiting;
    assert.equal(slot.machine.store, 'ssh://a');
  });
});
