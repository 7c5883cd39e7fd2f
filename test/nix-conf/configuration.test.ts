import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../src/errors.ts';
import { Configuration } from '../../src/nix-conf/configuration.ts';
import { makeSettings } from '../../src/settings.ts';

test('what nobody sets has its default', () => {
  const configuration = new Configuration();
  assert.deepEqual(configuration.settings, makeSettings());
  assert.deepEqual(configuration.resolve('max-jobs'), { value: 1, defaultValue: 1, origins: ['default'] });
});

test('a default may be another than that of the table', () => {
  const configuration = new Configuration({ netrcFile: '/x/netrc' });
  assert.equal(configuration.settings.netrcFile, '/x/netrc');
  assert.deepEqual(configuration.resolve('netrc-file').origins, ['default']);
});

test('what is set later counts, by any of its names', () => {
  const configuration = new Configuration();
  configuration.set('max-jobs', '3', 'one');
  configuration.set('build-max-jobs', '4', 'two');
  assert.equal(configuration.settings.maxJobs, 4);
  assert.deepEqual(configuration.resolve('max-jobs'), { value: 4, defaultValue: 1, origins: ['two'] });
});

test('what is added to a list remembers all that made it', () => {
  const configuration = new Configuration();
  configuration.set('extra-secret-key-files', 'a b', 'one');
  configuration.set('extra-secret-key-files', 'b c', 'two');
  assert.deepEqual(configuration.resolve('secret-key-files'), {
    value: ['a', 'b', 'c'],
    defaultValue: [],
    origins: ['default', 'one', 'two'],
  });
  configuration.set('secret-key-files', 'd', 'three');
  assert.deepEqual(configuration.resolve('secret-key-files').origins, ['three']);
});

test('what makes no sense is rejected, and changes nothing', () => {
  const configuration = new Configuration();
  assert.throws(() => configuration.set('max-jobs', 'many', 'x'), UsageError);
  assert.throws(() => configuration.set('frob', '1', 'x'), UsageError);
  assert.deepEqual(configuration.settings, makeSettings());
});
