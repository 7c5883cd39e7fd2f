import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import fc from 'fast-check';
import { Outbox } from '../../src/pool/outbox.ts';

interface SetUp extends Disposable {
  readonly outbox: Outbox<number>;
  /** What has come over the port since the last call. */
  readonly received: () => number[][];
}

function setUp(): SetUp {
  const { port1, port2 } = new MessageChannel();
  const received = (): number[][] => {
    const messages: number[][] = [];
    for (let next = receiveMessageOnPort(port2); next !== undefined; next = receiveMessageOnPort(port2)) {
      messages.push(next.message);
    }
    return messages;
  };
  return { outbox: new Outbox(port1), received, [Symbol.dispose]: () => port1.close() };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('an outbox', () => {
  test('sends at the end of the turn all that the turn had to say, as one message', async () => {
    using given = setUp();
    given.outbox.push(1);
    await Promise.resolve();
    given.outbox.push(2);
    assert.deepEqual(given.received(), []);
    await turn();
    assert.deepEqual(given.received(), [[1, 2]]);
  });

  test('does not wait for the end of the turn with eight', async () => {
    using given = setUp();
    for (let message = 1; message <= 9; message++) given.outbox.push(message);
    assert.deepEqual(given.received(), [[1, 2, 3, 4, 5, 6, 7, 8]]);
    await turn();
    assert.deepEqual(given.received(), [[9]]);
  });

  test('sends no empty message', async () => {
    using given = setUp();
    for (let message = 0; message < 8; message++) given.outbox.push(message);
    given.received();
    await turn();
    assert.deepEqual(given.received(), []);
  });

  test('loses nothing, says nothing twice and keeps the order, however much each turn has to say', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(30), { maxLength: 10 }), async (turns) => {
        using given = setUp();
        let next = 0;
        for (const count of turns) {
          for (let each = 0; each < count; each++) given.outbox.push(next++);
          await turn();
        }
        assert.deepEqual(
          given.received().flat(),
          Array.from({ length: next }, (_, index) => index),
        );
      }),
      { numRuns: 30 },
    );
  });
});
