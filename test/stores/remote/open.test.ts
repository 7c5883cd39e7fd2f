import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TransferError, UsageError } from '../../../src/errors.ts';
import { parseStoreReference } from '../../../src/formats/store-reference.ts';
import { makeSettings } from '../../../src/settings.ts';
import { openDaemonStore, openServeStore, openSshDaemonStore } from '../../../src/stores/remote/open.ts';
import { makeObject } from '../../support/store-objects.ts';
import { file } from '../../support/trees.ts';

const { path } = makeObject('object', file('x')).info;

/** NixOS/nix 2.35 libstore/uds-remote-store.cc, getDaemonSocketPath. */
describe('a daemon is looked for', () => {
  for (const [uri, environment, socket] of [
    ['unix:///no/such', { NIX_DAEMON_SOCKET_PATH: '/no/other' }, '/no/such'],
    ['unix:///no/such%20one', {}, '/no/such one'],
    ['daemon', { NIX_DAEMON_SOCKET_PATH: '/no/other', NIX_STATE_DIR: '/no/state' }, '/no/other'],
    ['daemon?trusted=true', { NIX_DAEMON_SOCKET_PATH: '/no/other' }, '/no/other'],
    ['daemon', { NIX_STATE_DIR: '/no/state' }, '/no/state/daemon-socket/socket'],
  ] as const) {
    test(`at ${socket} for ${uri} with ${JSON.stringify(environment)}`, async () => {
      await using store = openDaemonStore(parseStoreReference(uri), makeSettings(), environment);
      await assert.rejects(
        store.isValidPath(path),
        (error) => error instanceof TransferError && error.message.includes(`ENOENT ${socket}`),
      );
    });
  }
});

describe('the URI of a remote store', () => {
  const openAt = (uri: string) => openSshDaemonStore(parseStoreReference(uri), makeSettings(), {});

  test('is shown without keys and timeouts, and opens the same store again', () => {
    const uri = 'ssh-ng://me@host:22?compress=true&remote-store=local&ssh-key=/key&store=/other/store';
    const store = openAt(uri);
    assert.equal(store.uri, 'ssh-ng://host:22?remote-store=local&store=/other/store');
    assert.equal(store.openUri, uri);
    assert.equal(store.storeDir, '/other/store');
    assert.equal(store.trusted, false);
    assert.equal(openAt('ssh-ng://host?trusted=1').trusted, true);
  });

  test('may have what Nix knows and says nothing here', () => {
    const more = 'system-features=kvm&priority=3&want-mass-query=true&path-info-cache-size=5&max-connection-age=9';
    openAt(`ssh-ng://host?${more}&connect-timeout=3`);
    openServeStore(parseStoreReference(`ssh://host?${more}&log-fd=4`), makeSettings(), {});
    openDaemonStore(parseStoreReference(`unix:///x?${more}`), makeSettings(), {});
  });

  for (const [why, uri] of [
    ['a parameter that is not known', 'ssh-ng://host?nonsense=1'],
    ['no connection at all', 'ssh-ng://host?max-connections=0'],
    ['a number that is none', 'ssh-ng://host?max-connections=x'],
    ['a time that is negative', 'ssh-ng://host?connect-timeout=-1'],
    ['a word for yes that is none', 'ssh-ng://host?compress=maybe'],
  ] as const) {
    test(`may not have ${why}`, () => assert.throws(() => openAt(uri), UsageError));
  }

  test('of a daemon here may not have a key for ssh', () => {
    assert.throws(() => openDaemonStore(parseStoreReference('daemon?ssh-key=/x'), makeSettings(), {}), UsageError);
  });
});
