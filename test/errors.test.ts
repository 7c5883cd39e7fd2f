import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  asSluiceError,
  BuildError,
  decodeError,
  encodeError,
  FormatError,
  HashMismatchError,
  RelayedError,
  TransferError,
} from '../src/errors.ts';

describe('errors', () => {
  test('name the thing, what was wanted and what was got', () => {
    assert.equal(new FormatError('nar', 8, 'no Nix archive').message, 'invalid nar at byte 8: no Nix archive');
    assert.equal(new HashMismatchError('NAR of x', 'a', 'b').message, 'mismatch in NAR of x: wanted a, got b');
    assert.equal(new TransferError('no', { status: 500 }).status, 500);
  });

  test('keep name, code, message and hint on the way through structured clone', () => {
    const error = new FormatError('nar', 8, 'no Nix archive', { hint: 'look at it' });
    const relayed = new RelayedError(structuredClone(encodeError(error)));
    const { name, code, message, hint } = error;
    assert.deepEqual(
      [relayed.name, relayed.code, relayed.message, relayed.hint, relayed.stack],
      [name, code, message, hint, error.stack],
    );
  });

  test('of builds keep what is known of the build, too', () => {
    const failure = { status: 'timedOut', logTail: ['one', 'two'], keptBuildDir: '/tmp/kept' } as const;
    const error = new BuildError('too slow', { hint: 'wait longer', failure });
    const decoded = decodeError(structuredClone(encodeError(error)));
    assert.ok(decoded instanceof BuildError);
    assert.deepEqual(
      [decoded.message, decoded.hint, decoded.failure, decoded.stack],
      [error.message, error.hint, failure, error.stack],
    );
  });

  test('of other kinds become internal ones, whatever was thrown', () => {
    assert.equal(asSluiceError(new TypeError('oops')).code, 'ERR_INTERNAL');
    assert.equal(asSluiceError('oops').message, 'oops');
    const own = new FormatError('nar', 0, 'x');
    assert.equal(asSluiceError(own), own);
  });
});
