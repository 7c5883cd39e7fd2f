import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../../src/errors.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import { HTTP_PARAMS, overruleSettings } from '../../../src/stores/http/params.ts';

const SETTINGS = makeSettings();

/** Parameters, and the settings that they overrule. */
const OVERRULED: Readonly<Record<string, keyof Settings>> = {
  'connect-timeout': 'connectTimeout',
  'http-connections': 'httpConnections',
  'narinfo-timeout': 'narinfoTimeout',
  'retry-attempts': 'filetransferRetryAttempts',
  'retry-delay': 'filetransferRetryDelay',
  'retry-delay-rate-limited': 'filetransferRetryDelayRateLimited',
  'retry-max-delay': 'filetransferRetryMaxDelay',
  'stalled-download-timeout': 'stalledDownloadTimeout',
};

describe('the settings of a cache', () => {
  test('are those of all caches where its URI says nothing', () => {
    assert.equal(overruleSettings({ priority: '3' }, SETTINGS), SETTINGS);
  });

  for (const name of HTTP_PARAMS) {
    test(`are overruled by parameter '${name}', also by 0`, () => {
      for (const value of [0, 77]) {
        const expected = { ...SETTINGS, [OVERRULED[name]!]: value };
        assert.deepEqual(overruleSettings({ [name]: String(value) }, SETTINGS), expected);
      }
    });

    for (const value of ['-1', '', 'many', '1.5', '1e3', '9'.repeat(20)]) {
      test(`cannot be overruled by '${name}=${value}'`, () => {
        assert.throws(
          () => overruleSettings({ [name]: value }, SETTINGS),
          (error) => error instanceof UsageError && error.message.includes(`'${name}'`),
        );
      });
    }
  }
});
