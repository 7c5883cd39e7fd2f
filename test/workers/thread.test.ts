import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import thread from '../../workers/thread.ts';

test('what runs in a thread is what require gives, with no module in between that a thread could die in', () => {
  const require = createRequire(import.meta.url);
  assert.equal(require('../../workers/thread.ts'), thread);
});
