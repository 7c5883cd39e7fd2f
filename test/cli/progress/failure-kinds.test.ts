import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FirstFailures, failureKind } from '../../../src/cli/progress/failure-kinds.ts';
import {
  encodeError,
  FormatError,
  HashMismatchError,
  RelayedError,
  type SluiceError,
  StoreError,
  SubstituteGoneError,
  TimedOutError,
  TransferError,
  UntrustedError,
  UsageError,
} from '../../../src/errors.ts';

const status = (name: string, number: number): SluiceError =>
  new TransferError(`'https://a/${name}' answered with status ${number}`, { status: number });

const KINDS: readonly (readonly [error: SluiceError, kind: string])[] = [
  [status('1.narinfo', 503), 'status 503'],
  [new TransferError("cannot fetch 'https://a/status 404': connection reset"), 'failed transfer'],
  [new TimedOutError('no byte for 5 s'), 'timeout'],
  [new HashMismatchError('NAR', 'sha256:a', 'sha256:b'), 'wrong hash'],
  [new UntrustedError('not signed'), 'no trusted signature'],
  [new SubstituteGoneError('gone'), 'gone'],
  [new FormatError('narinfo', 3, 'no colon'), 'malformed answer'],
  [new StoreError('no binary cache'), 'store error'],
  [new UsageError('no such parameter'), 'usage'],
];

for (const [error, kind] of KINDS) {
  test(`${error.name} '${error.message}' counts as ${kind}`, () => assert.equal(failureKind(error), kind));
}

test('an error from another thread counts as what it was there', () => {
  assert.equal(failureKind(new RelayedError(encodeError(status('nar/1.nar', 502)))), 'status 502');
});

test('the same reason is told once a cache, whatever the file', () => {
  const first = new FirstFailures();
  assert.ok(first.isFirst('https://a', status('1.narinfo', 503)));
  assert.ok(!first.isFirst('https://a', status('2.narinfo', 503)));
  assert.ok(first.isFirst('https://b', status('1.narinfo', 503)));
  assert.ok(first.isFirst('https://a', status('1.narinfo', 500)));
});

test('hashes, sizes and addresses make no difference, words do', () => {
  const first = new FirstFailures();
  const mismatch = (digits: string): SluiceError => new HashMismatchError('NAR', `sha256:${digits}`, 'sha256:0');
  assert.ok(first.isFirst('https://a', mismatch('1a')));
  assert.ok(!first.isFirst('https://a', mismatch('2b')));
  const refused = (port: number): SluiceError => new TransferError(`connect ECONNREFUSED 127.0.0.1:${port}`);
  assert.ok(first.isFirst('https://a', refused(1)));
  assert.ok(!first.isFirst('https://a', refused(2)));
  assert.ok(first.isFirst('https://a', new TransferError('other side closed')));
});

test('a cache that has ever new things to say is told of a few times', () => {
  const first = new FirstFailures();
  const words = Array.from({ length: 100 }, (_, index) => 'x'.repeat(index + 1));
  const told = words.filter((word) => first.isFirst('https://a', new TransferError(word)));
  assert.equal(told.length, 8);
});
