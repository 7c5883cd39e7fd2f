import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNixConf } from '../../../src/formats/nix-conf.ts';
import { SETTINGS } from '../../../src/settings.ts';
import { cliOutput, runCli, UNCONFIGURED } from '../../support/cli.ts';

const environment = {
  ...UNCONFIGURED,
  NIX_CONFIG: '\nbuild-max-jobs = 3\nextra-substituters = https://me:s3cret@example.org/x?priority=1',
};
const show = (...args: readonly string[]): Promise<string> => cliOutput(['config', 'show', ...args], { environment });

test('all settings are shown by name, and where those come from that are not the defaults', async () => {
  const lines = (await show('--keep-going')).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    Object.keys(SETTINGS).sort(),
  );
  assert.ok(lines.includes('connect-timeout = 15'));
  assert.ok(lines.includes('secret-key-files ='));
  assert.ok(lines.includes('keep-going = true  # from flag'));
  assert.ok(lines.includes('max-jobs = 3  # from NIX_CONFIG:2'));
});

test('passwords in URLs are not shown', async () => {
  const caches = 'https://cache.nixos.org/ https://example.org/x?priority=1';
  assert.equal(await show('substituters'), `${caches}\n`);
  assert.ok((await show()).includes(`\nsubstituters = ${caches}  # from default, NIX_CONFIG:3\n`));
  assert.ok(!(await show('--json')).includes('s3cret'));
});

test('what is shown can be read as a nix.conf, and is the same again', async () => {
  const shown = await show('--no-require-sigs');
  const again = await cliOutput(['config', 'show'], { environment: { ...UNCONFIGURED, NIX_CONFIG: shown } });
  assert.equal(parseNixConf(shown, 'shown').length, Object.keys(SETTINGS).length);
  assert.deepEqual(parseNixConf(again, 'again'), parseNixConf(shown, 'shown'));
});

test('one setting alone is its value, by an older name as well', async () => {
  assert.equal(await show('max-jobs'), '3\n');
  assert.equal(await show('build-max-jobs'), '3\n');
  assert.equal(await show('secret-key-files'), '\n');
  assert.equal(await show('require-sigs'), 'true\n');
});

test('as JSON there is all that is known, in the kinds that the values have', async () => {
  const settings = JSON.parse(await show('--json')) as Record<string, object>;
  assert.deepEqual(Object.keys(settings), Object.keys(SETTINGS).sort());
  assert.deepEqual(settings['max-jobs'], {
    value: 3,
    defaultValue: 1,
    description: SETTINGS['max-jobs'].about,
    aliases: ['build-max-jobs'],
    origin: 'NIX_CONFIG:2',
  });
  assert.deepEqual(JSON.parse(await show('fallback', '--json')), {
    fallback: {
      value: false,
      defaultValue: false,
      description: SETTINGS.fallback.about,
      aliases: ['build-fallback'],
      origin: 'default',
    },
  });
});

const REJECTED = [
  ['frob', /^error: unknown setting 'frob'\n$/, 'an unknown setting'],
  ['eval-cache', /^error: unknown setting 'eval-cache'\nhint: Nix has/, 'a setting of Nix that does nothing here'],
  ['extra-substituters', /^error: unknown setting/, 'what only adds to a setting'],
] as const;

for (const [name, message, what] of REJECTED) {
  test(`${what} cannot be shown`, async () => {
    const { code, stdout, stderr } = await runCli(['config', 'show', name]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, message);
  });
}
