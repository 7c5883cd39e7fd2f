/** Stock Nix behind OpenSSH's server, by both protocols. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TransferError } from '../../src/errors.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import { parseStoreReference } from '../../src/formats/store-reference.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { openSshDaemonStore } from '../../src/stores/remote/open.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { daemonEnvironment } from '../support/nix-daemon.ts';
import { makeDerivation, openRemote, provesBuilds, provesCopies } from '../support/remote-proofs.ts';
import { makeScratch } from '../support/scratch.ts';
import { type SshServer, sshdMissing, startSshd } from '../support/sshd.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const skip = nixMissing || sshdMissing;
const OBJECT = makeObject('object', file('x'));

interface Place {
  readonly server: SshServer;
  readonly nix: Nix;
  readonly root: string;
  readonly path: string;
  /** A URI that gets in, with more parameters. */
  readonly uri: (scheme: string, more?: string) => string;
}

/** @param lines - of the other side's nix.conf. */
async function openPlace(resources: AsyncDisposableStack, lines: readonly string[] = []): Promise<Place> {
  const { path } = resources.use(await makeScratch());
  const nix = await Nix.open(`${path}/home`);
  const root = `${path}/root`;
  await nix.output('nix-store', '--store', root, '--init');
  const server = await startSshd(`${path}/sshd`, resources, daemonEnvironment(nix, root, lines));
  const key = `ssh-key=${server.key}&base64-ssh-public-host-key=${encodeURIComponent(server.hostKey)}`;
  return { server, nix, root, path, uri: (scheme, more = '') => `${scheme}://${server.authority}?${key}${more}` };
}

for (const scheme of ['ssh-ng', 'ssh']) {
  test(`a stock store at ${scheme}://`, { skip }, async (t) => {
    await using resources = new AsyncDisposableStack();
    const { uri, nix, root, path } = await openPlace(resources);
    await provesCopies(t, { uri: uri(scheme), root, nix, directory: path });
    await provesBuilds(t, { uri: uri(scheme), root, nix, directory: path });

    const store = await openRemote(uri(scheme), resources);
    await t.test('passes on the log of a build', async () => {
      const { drvPath, derivation } = makeDerivation('logging', 'echo one; echo two >&2; echo > $out');
      const log: string[] = [];
      const onLogLine = (line: string): void => void log.push(line);
      const result = await store.buildDerivation(drvPath, derivation, 'normal', { onLogLine });
      assert.equal(result.status, 'built', result.message);
      // The older protocol has the log beside it, in the words of the other side's own display, where it shows it at all.
      if (scheme === 'ssh-ng') assert.deepEqual(log, ['one', 'two']);
    });

    await t.test('can be another store of that machine', async () => {
      const other = `${path}/other root`;
      const reference = encodeURIComponent(`local?root=${other}`);
      const there = await openRemote(uri(scheme, `&remote-store=${reference}`), resources);
      await add(there, OBJECT);
      const full = printStorePath(DEFAULT_STORE_DIR, OBJECT.info.path);
      assert.deepEqual(await nix.closure(`local?root=${encodeURIComponent(other)}`, full), [full]);
      assert.equal(await store.isValidPath(OBJECT.info.path), false);
    });

    await t.test('takes from several sides at once, over no more connections than allowed', async () => {
      const several = await openRemote(uri(scheme, '&max-connections=2&compress=true'), resources);
      const objects = Array.from({ length: 6 }, (_, index) => makeObject(`s${index}`, file(`${scheme} ${index}`)));
      await Promise.all(objects.map((object) => add(several, object)));
      for (const { info } of objects) assert.equal(await several.isValidPath(info.path), true);
    });
  });
}

describe('a store behind ssh', { skip }, () => {
  test('is opened as NIX_SSHOPTS says', async () => {
    await using resources = new AsyncDisposableStack();
    const { server, path } = await openPlace(resources);
    const NIX_SSHOPTS = `-oStrictHostKeyChecking=no -o 'UserKnownHostsFile=${path}/known hosts' -i ${server.key}`;
    const reference = parseStoreReference(`ssh-ng://${server.authority}`);
    const store = resources.use(openSshDaemonStore(reference, makeSettings(), { NIX_SSHOPTS }));
    assert.equal(await store.isValidPath(OBJECT.info.path), false);
  });

  /** What is wrong with a URI, and what is said of it. */
  const FAILURES: readonly (readonly [why: string, uri: (place: Place) => string, said: RegExp])[] = [
    [
      'nobody may log in',
      ({ uri }) => uri('ssh').replace(/ssh-key=[^&]*/, 'ssh-key=/no/such/key'),
      /^cannot open 'ssh:\/\/127\.0\.0\.1:\d+': ssh has failed: .*Permission denied/,
    ],
    [
      'another host answers',
      ({ uri, server }) =>
        uri('ssh-ng').replace(
          encodeURIComponent(server.hostKey),
          encodeURIComponent(btoa('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')),
        ),
      /ssh has failed: .*(?:Host key verification failed|HOST IDENTIFICATION HAS CHANGED)/,
    ],
    [
      'there is no Nix',
      ({ uri }) => uri('ssh', '&remote-program=no-such-program'),
      /there is no such program on the other side.*no-such-program/,
    ],
    [
      'something else answers',
      ({ uri }) => uri('ssh-ng', '&remote-program=echo Hello'),
      /does not speak the worker protocol: it begins with 'Hello --'/,
    ],
    [
      'the other store cannot be opened',
      ({ uri }) => uri('ssh-ng', '&remote-store=nonsense:///'),
      /don't know how to open Nix store/,
    ],
  ];

  for (const [why, broken, said] of FAILURES) {
    test(`says it where ${why}`, async () => {
      await using resources = new AsyncDisposableStack();
      const place = await openPlace(resources);
      await using store = await openStore(broken(place), makeSettings());
      await assert.rejects(
        store.isValidPath(OBJECT.info.path),
        (error) => error instanceof TransferError && said.test(error.message),
      );
    });
  }
});
