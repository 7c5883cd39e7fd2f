import assert from 'node:assert/strict';
import { chown } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { test } from 'node:test';
import { certificateFile, configurationFiles } from '../../src/nix-conf/environment.ts';
import { makeScratch } from '../support/scratch.ts';

/** The order in which Nix 2.35 libstore/globals.cc, loadConfFile, applies them. */
const FILES = [
  ['the system, then the user', { HOME: '/no/me' }, ['/etc/nix', '/etc/xdg/nix', '/no/me/.config/nix']],
  [
    'the directory of the system',
    { HOME: '/no/me', NIX_CONF_DIR: '/c', XDG_CONFIG_DIRS: '' },
    ['/c', '/no/me/.config/nix'],
  ],
  ['what XDG says', { XDG_CONFIG_HOME: '/h', XDG_CONFIG_DIRS: '/a::/b' }, ['/etc/nix', '/b/nix', '/a/nix', '/h/nix']],
  ['the directory of Nix', { NIX_CONFIG_HOME: '/n', XDG_CONFIG_HOME: '/h' }, ['/etc/nix', '/etc/xdg/nix', '/n']],
] as const;

for (const [what, environment, directories] of FILES) {
  test(`configuration files: ${what}`, () => {
    assert.deepEqual(
      configurationFiles(environment),
      directories.map((directory) => `${directory}/nix.conf`),
    );
  });
}

test('files that are named replace those of the user, and the first counts most', () => {
  const environment = { NIX_USER_CONF_FILES: '/a:/b', XDG_CONFIG_HOME: '/h' };
  assert.deepEqual(configurationFiles(environment), ['/etc/nix/nix.conf', '/b', '/a']);
  assert.deepEqual(configurationFiles({ NIX_USER_CONF_FILES: '' }), ['/etc/nix/nix.conf']);
});

test("a home of one's own is looked at, someone else's is not", async () => {
  await using scratch = await makeScratch();
  const { uid, homedir } = userInfo();
  const fileOfUser = (HOME: string): string | undefined => configurationFiles({ HOME }).at(-1);
  assert.equal(fileOfUser(scratch.path), `${scratch.path}/.config/nix/nix.conf`);
  if (uid === 0) await chown(scratch.path, 65_534, 65_534);
  assert.equal(fileOfUser(uid === 0 ? scratch.path : '/'), `${homedir}/.config/nix/nix.conf`);
});

test('the file with certificates is that of NIX_SSL_CERT_FILE before that of SSL_CERT_FILE', () => {
  const both = { NIX_SSL_CERT_FILE: '/a', SSL_CERT_FILE: '/b' };
  assert.deepEqual(certificateFile(both), { file: '/a', variable: 'NIX_SSL_CERT_FILE' });
  assert.deepEqual(certificateFile({ ...both, NIX_SSL_CERT_FILE: '' }), { file: '/b', variable: 'SSL_CERT_FILE' });
  assert.equal(certificateFile({}), undefined);
});
