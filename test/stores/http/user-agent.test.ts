import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { UsageError } from '../../../src/errors.ts';
import { USER_AGENT, userAgent } from '../../../src/stores/http/user-agent.ts';

test('the user agent has the version of the package', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'));
  assert.equal(USER_AGENT, `sluice/${version}`);
});

test('a suffix comes after it', () => {
  assert.equal(userAgent(''), USER_AGENT);
  assert.equal(userAgent('fleet/7 (nightly)'), `${USER_AGENT} fleet/7 (nightly)`);
});

for (const suffix of ['a\r\nx: y', 'a\nb', '\0', 'é']) {
  test(`a suffix is not ${JSON.stringify(suffix)}`, () => assert.throws(() => userAgent(suffix), UsageError));
}
