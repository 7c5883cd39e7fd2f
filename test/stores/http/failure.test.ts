import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SluiceError, StoreError, TimedOutError, TransferError } from '../../../src/errors.ts';
import { describeFailure, describeStatus, showUrl } from '../../../src/stores/http/failure.ts';

const PLACE = new URL('http://user:secret@host/path?secret');
const failure = (code: string, message = ''): Error => Object.assign(new Error(message), { code });

test('a URL is shown without what may be secret, and not at any length', () => {
  assert.equal(showUrl(PLACE), "'http://host/path'");
  assert.equal(showUrl(new URL(`http://host/${'x'.repeat(1_000)}`)).length, 313);
});

describe('a failure may pass', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'UND_ERR_SOCKET']) {
    test(`that is ${code}`, () => {
      const error = describeFailure(failure(code), PLACE);
      assert.ok(error instanceof TransferError && error.transient);
      assert.equal(error.message, `cannot fetch 'http://host/path': ${code}`);
    });
  }

  test('that is a connection which takes too long', () => {
    const error = describeFailure(failure('UND_ERR_CONNECT_TIMEOUT'), PLACE);
    assert.ok(error instanceof TimedOutError && error.transient && error.message.includes("'connect-timeout'"));
  });
});

describe('a failure stays', () => {
  for (const code of ['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_DESTROYED', 'UND_ERR_INVALID_ARG']) {
    test(`that is ${code}`, () => assert.equal(describeFailure(failure(code), PLACE).transient, false));
  }

  for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID']) {
    test(`that is ${code}, and there is something to do about it`, () => {
      const { transient, hint } = describeFailure(failure(code, 'no'), PLACE);
      assert.equal(transient, false);
      assert.notEqual(hint, undefined);
    });
  }

  test('as it is where it is one of ours', () => {
    const error = new StoreError('no certificates');
    assert.equal(describeFailure(error, PLACE), error);
  });
});

describe('a status', () => {
  test('that may pass says when', () => {
    const error = describeStatus({ status: 503, headers: { 'retry-after': '3' } }, PLACE);
    assert.deepEqual([error.status, error.transient, error.retryAfter], [503, true, 3_000]);
    assert.equal(error.message, "'http://host/path' answered with status 503");
  });

  test('that stays does not', () => {
    const error = describeStatus({ status: 400, headers: { 'retry-after': '3' } }, PLACE);
    assert.deepEqual([error.status, error.transient, error.retryAfter, error.hint], [400, false, undefined, undefined]);
  });

  test('that wants to know who asks says how to tell it', () => {
    for (const status of [401, 407]) {
      const error: SluiceError = describeStatus({ status, headers: {} }, PLACE);
      assert.match(error.hint!, /user name and password/);
      assert.ok(error instanceof SluiceError && !error.transient);
    }
  });
});
