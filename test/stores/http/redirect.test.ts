import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransferError } from '../../../src/errors.ts';
import { followRedirect } from '../../../src/stores/http/redirect.ts';

const FROM = new URL('https://host/nar/x?token=geheim');

for (const [location, url] of [
  ['/y', 'https://host/y'],
  ['y', 'https://host/nar/y'],
  ['//other/y', 'https://other/y'],
  ['http://other:8080/y?z', 'http://other:8080/y?z'],
] as const) {
  test(`a redirect to ${location} leads to ${url}`, () => assert.equal(followRedirect(FROM, location).href, url));
}

for (const [location, why] of [
  [undefined, 'is missing'],
  ['', 'is empty'],
  ['http://', 'is no URL'],
  ['file:///etc/passwd', 'has another scheme'],
] as const) {
  test(`a redirect is not followed where its target ${why}`, () => {
    assert.throws(
      () => followRedirect(FROM, location),
      (error) => error instanceof TransferError && !error.message.includes('geheim'),
    );
  });
}
