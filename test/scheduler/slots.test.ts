import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Slots } from '../../src/scheduler/slots.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Crowd {
  readonly join: (name: string, priority?: number, signal?: AbortSignal) => void;
  /** Who has got a slot, in order. */
  readonly served: string[];
  readonly leases: Disposable[];
}

/** Acquirers with names. */
function crowdAt(slots: Slots): Crowd {
  const served: string[] = [];
  const leases: Disposable[] = [];
  const join: Crowd['join'] = (name, priority, signal) => {
    const serve = (lease: Disposable): void => {
      served.push(name);
      leases.push(lease);
    };
    slots.acquire(signal, priority).then(serve, () => {});
  };
  return { join, served, leases };
}

/** Gives slots back one after another, until all are. */
async function giveAllBack({ leases }: Crowd): Promise<void> {
  for (let lease = leases.shift(); lease !== undefined; lease = leases.shift()) {
    lease[Symbol.dispose]();
    await turn();
  }
}

describe('slots', () => {
  test('a third acquirer waits until one of two slots is given back', async () => {
    const slots = new Slots(2);
    const order: string[] = [];
    using _first = await slots.acquire();
    {
      using _second = await slots.acquire();
      void slots.acquire().then(() => order.push('third'));
      await Promise.resolve();
      order.push('leaving scope');
    }
    await turn();
    assert.deepEqual(order, ['leaving scope', 'third']);
  });

  test('an abort while waiting leaves the queue', async () => {
    const slots = new Slots(1);
    const held = await slots.acquire();
    const controller = new AbortController();
    const waiting = slots.acquire(controller.signal);
    controller.abort(new Error('stop'));
    await assert.rejects(waiting, /stop/);
    held[Symbol.dispose]();
    held[Symbol.dispose]();
    assert.equal(slots.taken, 0, 'given back once, though disposed twice');
  });

  test('of those who wait the one with the highest priority is next, and of equals the first', async () => {
    const slots = new Slots(1);
    const crowd = crowdAt(slots);
    crowd.join('holder');
    for (const [name, priority] of [
      ['low 1', -1],
      ['plain 1', undefined],
      ['high 1', 7],
      ['low 2', -1],
      ['plain 2', 0],
      ['high 2', 7],
    ] as const) {
      crowd.join(name, priority);
    }
    assert.equal(slots.waiting, 6);
    await turn();
    await giveAllBack(crowd);
    assert.deepEqual(crowd.served, ['holder', 'high 1', 'high 2', 'plain 1', 'plain 2', 'low 1', 'low 2']);
    assert.equal(slots.waiting, 0);
  });

  test('are open as many as was said, but not more than there are', async () => {
    for (const [limit, open, wanted] of [
      [8, 2, 2],
      [8, undefined, 8],
      [3, 8, 3],
    ] as const) {
      const slots = new Slots(limit, { open });
      const crowd = crowdAt(slots);
      for (let count = 0; count < 10; count++) crowd.join(`${count}`);
      assert.deepEqual([slots.taken, slots.waiting], [wanted, 10 - wanted]);
    }
  });

  test('are twice as many after each widening, up to the limit, and who waits is served at once', async () => {
    const slots = new Slots(7, { open: 2 });
    const crowd = crowdAt(slots);
    for (const name of 'abcdefghij') crowd.join(name, name === 'j' ? 1 : 0);
    await turn();
    const served = [crowd.served.join('')];
    for (let count = 0; count < 3; count++) {
      slots.widen();
      await turn();
      served.push(crowd.served.join(''));
    }
    assert.deepEqual(served, ['ab', 'abjc', 'abjcdef', 'abjcdef']);
    assert.deepEqual([slots.taken, slots.waiting], [7, 3]);
  });

  test('that a widening opened are there for those who come later', async () => {
    const slots = new Slots(4, { open: 1 });
    slots.widen();
    assert.equal(slots.taken, 0);
    const crowd = crowdAt(slots);
    for (const name of 'abc') crowd.join(name);
    await turn();
    assert.deepEqual(crowd.served, ['a', 'b']);
  });

  test('are not given to who has left, however high its priority was', async () => {
    const slots = new Slots(4, { open: 1 });
    const crowd = crowdAt(slots);
    const controller = new AbortController();
    crowd.join('holder');
    crowd.join('left 1', 9, controller.signal);
    crowd.join('left 2', 9, controller.signal);
    crowd.join('stays');
    crowd.join('left 3', 0, controller.signal);
    controller.abort(new Error('stop'));
    assert.equal(slots.waiting, 1);
    slots.widen();
    await turn();
    assert.deepEqual(crowd.served, ['holder', 'stays']);
    await giveAllBack(crowd);
    assert.deepEqual([slots.taken, slots.waiting], [0, 0]);
  });

  test('a signal that aborts after its slot was given takes nothing back', async () => {
    const slots = new Slots(1);
    const held = await slots.acquire();
    const controller = new AbortController();
    const next = slots.acquire(controller.signal);
    held[Symbol.dispose]();
    controller.abort(new Error('stop'));
    using _lease = await next;
    assert.deepEqual([slots.taken, slots.waiting], [1, 0]);
  });

  test('whatever is acquired, given back, aborted and widened in whatever order: none is lost, none is lent twice, and none goes to the wrong one', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('acquire' as const), priority: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat(40) }) },
      { weight: 1, arbitrary: fc.constant({ do: 'widen' } as const) },
    );
    const limits = fc.record({ limit: fc.integer({ min: 1, max: 6 }), open: fc.integer({ min: 1, max: 8 }) });
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 80 }), async ({ limit, open: first }, steps) => {
        const slots = new Slots(limit, { open: first });
        const held: Disposable[] = [];
        /** Those who wait, as they came: who is to be next is looked for among all of them. */
        const waiting: { readonly id: number; readonly priority: number }[] = [];
        const controllers: AbortController[] = [];
        const expected: number[] = [];
        const served: number[] = [];
        let open = Math.min(first, limit);
        const serve = (): void => {
          while (expected.length - released < open && waiting.length > 0) {
            const highest = Math.max(...waiting.map(({ priority }) => priority));
            const [next] = waiting.splice(
              waiting.findIndex(({ priority }) => priority === highest),
              1,
            );
            expected.push(next!.id);
          }
        };
        let released = 0;
        const release = (which: number): void => {
          const [lease] = held.splice(which % (held.length || 1), 1);
          if (lease !== undefined) released++;
          lease?.[Symbol.dispose]();
        };
        for (const each of steps) {
          if (each.do === 'acquire') {
            const id = controllers.length;
            const controller = new AbortController();
            controllers.push(controller);
            waiting.push({ id, priority: each.priority });
            const take = (lease: Disposable): void => {
              held.push(lease);
              served.push(id);
            };
            slots.acquire(controller.signal, each.priority).then(take, () => {});
          } else if (each.do === 'release') release(each.which);
          else if (each.do === 'widen') {
            open = Math.min(limit, open * 2);
            slots.widen();
          } else {
            controllers[each.which]?.abort();
            const index = waiting.findIndex(({ id }) => id === each.which);
            if (index >= 0) waiting.splice(index, 1);
          }
          serve();
          await turn();
          assert.deepEqual(served, expected);
          assert.deepEqual([slots.taken, slots.waiting], [held.length, waiting.length]);
        }
        while (held.length > 0) {
          release(0);
          serve();
          await turn();
        }
        assert.deepEqual(served, expected, 'every waiter had its turn');
        assert.deepEqual([slots.taken, slots.waiting], [0, 0], 'all slots are back');
      }),
      { numRuns: 60 },
    );
  });
});
