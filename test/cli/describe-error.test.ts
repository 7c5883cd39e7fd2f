import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { describeError } from '../../src/cli/describe-error.ts';
import { HashMismatchError, StoreError, TransferError, UsageError } from '../../src/errors.ts';

const describe = (error: unknown): string => describeError(error, { debug: false });

test('an error is its message, and what to do', () => {
  const error = new UsageError("unknown setting 'x'", { hint: 'leave it out' });
  assert.equal(describe(error), "error: unknown setting 'x'\nhint: leave it out");
});

test('a cause is told where it adds something', () => {
  const cause = new TransferError('the connection was closed', { hint: 'try again' });
  const error = new StoreError("cannot read 'x'", { cause });
  assert.equal(describe(error), "error: cannot read 'x'\ncause: the connection was closed\nhint: try again");
});

test('a cause whose words are in the message is not told again', () => {
  const cause = new Error('connect ECONNREFUSED');
  assert.equal(
    describe(new TransferError("cannot fetch 'x': connect ECONNREFUSED", { cause })),
    "error: cannot fetch 'x': connect ECONNREFUSED",
  );
});

test('the hint nearest to the user is the one that is told', () => {
  const cause = new TransferError('it broke', { hint: 'inner' });
  assert.match(describe(new StoreError('x', { cause, hint: 'outer' })), /hint: outer$/);
});

test('an error of the operating system is a sentence', async () => {
  const error = await readFile('/no/such/file').catch((error: unknown) => error);
  assert.equal(describe(error), "error: cannot open '/no/such/file': no such file or directory");
});

test('what nobody expected is called a bug', () => {
  assert.equal(
    describe(new TypeError('x is not a function')),
    'error: TypeError: x is not a function\nhint: this is a bug in sluice; --debug shows where',
  );
});

test('what is no error at all is printed as it is', () => assert.equal(describe('boom'), 'error: boom'));

test('of a failure and the failed cleanup after it, the failure comes first', () => {
  const error = new SuppressedError(new StoreError('cannot remove'), new HashMismatchError('NAR', 'a', 'b'));
  assert.equal(describe(error), 'error: mismatch in NAR: wanted a, got b\nerror: cannot remove');
});

test('--debug shows where errors come from', () => {
  const error = new StoreError('x', { cause: new Error('y') });
  const lines = describeError(error, { debug: true }).split('\n');
  assert.deepEqual(lines.slice(0, 3), ['error: x', 'cause: y', 'StoreError: x']);
  assert.ok(lines.includes('Error: y'));
  assert.ok(lines.some((line) => line.includes('describe-error.test.ts')));
});

test('causes in a circle end', () => {
  const error = new Error('a');
  error.cause = error;
  assert.equal(describe(error).split('\n')[0], 'error: a');
});
