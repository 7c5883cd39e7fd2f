import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interrupts } from '../../src/cli/interrupts.ts';

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;

for (const [name, code] of SIGNALS) {
  test(`${name} aborts, and a second one ends the process with ${code}`, (t) => {
    const exit = t.mock.method(process, 'exit', () => {
      throw new Error('the process has ended');
    });
    const calls: string[] = [];
    using interrupts = new Interrupts({ first: () => calls.push('first'), second: () => calls.push('second') });
    process.emit(name, name);
    assert.deepEqual([interrupts.signal.aborted, interrupts.exitCode, calls], [true, code, ['first']]);
    assert.equal((interrupts.signal.reason as Error).name, 'AbortError');
    assert.equal(exit.mock.callCount(), 0);
    assert.throws(() => process.emit(name, name), /the process has ended/);
    assert.deepEqual([exit.mock.calls[0]?.arguments, calls], [[code], ['first', 'second']]);
  });
}

test('the user is told before anything is aborted', () => {
  let wasAborted: boolean | undefined;
  using interrupts = new Interrupts({
    first: () => {
      wasAborted = interrupts.signal.aborted;
    },
    second: () => {},
  });
  process.emit('SIGINT', 'SIGINT');
  assert.equal(wasAborted, false);
});

test('disposed, it leaves the signals to others', () => {
  const before = process.listenerCount('SIGINT');
  const interrupts = new Interrupts({ first: () => {}, second: () => {} });
  assert.equal(process.listenerCount('SIGINT'), before + 1);
  interrupts[Symbol.dispose]();
  assert.equal(process.listenerCount('SIGINT'), before);
});
