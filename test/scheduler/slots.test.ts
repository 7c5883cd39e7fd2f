import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Slots } from '../../src/scheduler/slots.ts';

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
    await new Promise(setImmediate);
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

  test('whatever is acquired, given back and aborted in whatever order: none is lost, none is lent twice', async () => {
    const step = fc.oneof(
      fc.constant({ do: 'acquire' } as const),
      fc.record({ do: fc.constant('release' as const), which: fc.nat(20) }),
      fc.record({ do: fc.constant('abort' as const), which: fc.nat(20) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), async (limit, steps) => {
        const slots = new Slots(limit);
        const held: Disposable[] = [];
        const controllers: AbortController[] = [];
        let ended = 0;
        let released = 0;
        for (const each of steps) {
          if (each.do === 'acquire') {
            const controller = new AbortController();
            controllers.push(controller);
            slots.acquire(controller.signal).then(
              (lease) => void held.push(lease),
              () => void ended++,
            );
          } else if (each.do === 'release') {
            const [lease] = held.splice(each.which % (held.length || 1), 1);
            if (lease !== undefined) released++;
            lease?.[Symbol.dispose]();
          } else controllers[each.which]?.abort();
          await new Promise(setImmediate);
          assert.ok(held.length <= limit);
          assert.equal(slots.taken, held.length);
          const waiting = controllers.length - ended - held.length - released;
          if (held.length < limit) assert.equal(waiting, 0, 'nobody waits while a slot is free');
        }
        while (held.length > 0) {
          held.pop()![Symbol.dispose]();
          await new Promise(setImmediate);
        }
        assert.equal(slots.taken, 0, 'every waiter had its turn, and all slots are back');
      }),
      { numRuns: 50 },
    );
  });
});
