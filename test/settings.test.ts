import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import {
  findSetting,
  makeSettings,
  parseSetting,
  SETTINGS,
  type SettingName,
  settingKey,
  settingSpec,
} from '../src/settings.ts';

const READ = [
  ['max-substitution-jobs', '32', { maxSubstitutionJobs: 32 }],
  ['require-sigs', 'false', { requireSigs: false }],
  ['keep-going', 'yes', { keepGoing: true }],
  ['substituters', ' https://a  https://b\n', { substituters: ['https://a', 'https://b'] }],
  ['substituters', '', { substituters: [] }],
  ['substituters', 'https://a https://b https://a', { substituters: ['https://a', 'https://b'] }],
  ['binary-caches', 'https://a', { substituters: ['https://a'] }],
  ['build-fallback', 'true', { fallback: true }],
  ['max-jobs', 'auto', { maxJobs: availableParallelism() }],
  ['build-max-jobs', 'auto', { maxJobs: availableParallelism() }],
  ['download-speed', '2K', { downloadSpeed: 2048 }],
  ['download-speed', '1t', { downloadSpeed: 2 ** 40 }],
] as const;

const REJECTED = [
  ['max-jobs', '-1', 'a negative number'],
  ['max-jobs', '1.5', 'a fraction'],
  ['max-jobs', '9'.repeat(16), 'a number beyond what counts exactly'],
  ['max-jobs', '', 'nothing'],
  ['max-jobs', 'K', 'a unit alone'],
  ['max-jobs', '1X', 'an unknown unit'],
  ['max-jobs', '999999999T', 'a number that does not count exactly with its unit'],
  ['connect-timeout', 'auto', 'auto where no number of cores is wanted'],
  ['extra-max-jobs', '1', 'adding to what is no list'],
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

  test('that are lists can be added to, by any of their names', () => {
    const before = { substituters: ['https://a'] };
    const added = { substituters: ['https://a', 'https://b'] };
    assert.deepEqual(parseSetting('extra-substituters', 'https://b https://a', before), added);
    assert.deepEqual(parseSetting('extra-binary-caches', 'https://b', before), added);
    assert.deepEqual(parseSetting('extra-substituters', 'https://b'), {
      substituters: [...SETTINGS.substituters.default, 'https://b'],
    });
  });

  test('have names of their own: no alias is the name of another', () => {
    const names = Object.keys(SETTINGS) as SettingName[];
    const all = names.flatMap((name) => [name, ...(settingSpec(name).aliases ?? [])]);
    assert.equal(new Set(all).size, all.length);
    for (const name of names) {
      for (const alias of settingSpec(name).aliases ?? [])
        assert.deepEqual(findSetting(alias), { name, appends: false });
    }
  });

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
