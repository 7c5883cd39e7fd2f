import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeSettings, parseSetting, SETTINGS, settingKey } from '../src/settings.ts';

const READ = [
  ['max-substitution-jobs', '32', { maxSubstitutionJobs: 32 }],
  ['require-sigs', 'false', { requireSigs: false }],
  ['keep-going', 'yes', { keepGoing: true }],
  ['substituters', ' https://a  https://b\n', { substituters: ['https://a', 'https://b'] }],
  ['substituters', '', { substituters: [] }],
] as const;

const REJECTED = [
  ['max-jobs', '-1', 'a negative number'],
  ['max-jobs', '1.5', 'a fraction'],
  ['max-jobs', '9'.repeat(16), 'a number beyond what counts exactly'],
  ['max-jobs', '', 'nothing'],
  ['require-sigs', 'maybe', 'what is neither true nor false'],
  ['no-such-setting', 'x', 'an unknown name'],
  ['constructor', 'x', 'a name that every object has'],
] as const;

describe('settings', () => {
  for (const [name, text, value] of READ) {
    test(`${name} reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseSetting(name, text), value));
  }

  for (const [name, text, why] of REJECTED) {
    test(`${name} rejects ${why}`, () => {
      assert.throws(() => parseSetting(name, text), { code: 'ERR_USAGE', message: new RegExp(name) });
    });
  }

  test('are the defaults with what is given on top, and cannot be changed', () => {
    const settings = makeSettings({ maxJobs: 7 });
    assert.equal(settings.maxJobs, 7);
    assert.equal(settings.requireSigs, true);
    assert.ok(Object.isFrozen(settings));
  });

  test('have one key each, and survive structured clone', () => {
    const settings = makeSettings();
    const keys = Object.keys(SETTINGS).map((name) => settingKey(name as keyof typeof SETTINGS));
    assert.deepEqual(Object.keys(settings).sort(), keys.sort());
    assert.deepEqual(structuredClone(settings), settings);
  });
});
