import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSettingOfNixOnly } from '../../src/nix-conf/nix-settings.ts';
import { findSetting } from '../../src/settings.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { makeScratch } from '../support/scratch.ts';

test('settings of Nix that do nothing here are known, with extra- too', () => {
  for (const name of ['eval-cache', 'env-keep-derivations', 'trusted-users', 'extra-experimental-features', 'store']) {
    assert.ok(isSettingOfNixOnly(name), name);
  }
});

test('what Nix does not know is not', () => {
  for (const name of ['frob', 'extra-frob', 'extra-', '', 'substituters', 'narinfo-timeout']) {
    assert.ok(!isSettingOfNixOnly(name), name);
  }
});

test('every setting of stock Nix, and every alias, is known', { skip: nixMissing }, async () => {
  await using scratch = await makeScratch();
  const nix = await Nix.open(scratch.path);
  const settings = JSON.parse(await nix.output('nix', 'show-config', '--json')) as Record<
    string,
    { aliases: string[] }
  >;
  const names = Object.entries(settings).flatMap(([name, { aliases }]) => [name, ...aliases]);
  assert.ok(names.length > 80);
  assert.deepEqual(
    names.filter((name) => findSetting(name) === undefined && !isSettingOfNixOnly(name)),
    [],
  );
});
