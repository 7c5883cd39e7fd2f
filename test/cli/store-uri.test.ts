import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { addStoreUri, storeUri } from '../../src/cli/store-uri.ts';

const URIS = [
  ['./store', resolve('store')],
  ['.', resolve('.')],
  ['../x?read-only=true', `${resolve('../x')}?read-only=true`],
  ['/abs', '/abs'],
  ['local', 'local'],
  ['https://cache.example.org', 'https://cache.example.org'],
  ['.hidden', '.hidden'],
] as const;

for (const [text, uri] of URIS) test(`the store '${text}' is '${uri}'`, () => assert.equal(storeUri(text), uri));

test('several stores stay in order', () => assert.deepEqual(addStoreUri('b', addStoreUri('a')), ['a', 'b']));
