import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Turns } from '../../src/scheduler/turns.ts';

const { signal } = new AbortController();

describe('turns', () => {
  test('give what is given to the one whose priority is highest now, where priorities change', async () => {
    let version = 0;
    const turns = new Turns<string>({ version: () => version });
    const priorities = { a: 3, b: 2, c: 1 };
    const served: string[] = [];
    const wait = async (name: keyof typeof priorities): Promise<void> => {
      served.push(`${name} got ${await turns.wait(signal, () => priorities[name])}`);
    };
    const all = [wait('a'), wait('b'), wait('c')];
    priorities.c = 9;
    turns.wakeNext('first'); // of the change nothing is known yet
    version++;
    assert.equal(turns.nextPriority, 9);
    turns.wakeNext('second');
    turns.wakeNext('third');
    assert.equal(turns.wakeNext('fourth'), false);
    await Promise.all(all);
    assert.deepEqual(served, ['a got first', 'c got second', 'b got third']);
  });

  test('ask for no version where no priority changes', () => {
    const turns = new Turns({ version: () => assert.fail('asked') });
    void turns.wait(signal, 1);
    assert.equal(turns.wakeNext(undefined), true);
  });
});
