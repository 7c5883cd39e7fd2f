/**
 * What a client of the worker protocol says to daemons of other versions than the one that is there to be asked, byte
 * by byte. After NixOS/nix 2.35 libstore/remote-store.cc and worker-protocol-connection.cc.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BuildError } from '../../../src/errors.ts';
import { printDigest } from '../../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../../../src/formats/store-path.ts';
import { makeSettings } from '../../../src/settings.ts';
import { openStore } from '../../../src/stores/open-store.ts';
import { WorkerStore } from '../../../src/stores/remote/worker-store.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { makeDerivation } from '../../support/remote-proofs.ts';
import { startPeer } from '../../support/scripted-peer.ts';
import { makeObject, narSource } from '../../support/store-objects.ts';
import { file } from '../../support/trees.ts';
import { type Token, wire } from '../../support/wire.ts';

const LAST = 0x616c7473;
const FEATURE = 'realisation-with-path-not-hash';
const OBJECT = makeObject('object', file('x'));
const FULL = printStorePath(DEFAULT_STORE_DIR, OBJECT.info.path);
const HEX = printDigest(OBJECT.info.narHash, 'base16');

/** What a daemon of a version says first, and what is said to it. */
function hello(minor: number): { readonly theirs: readonly Token[]; readonly ours: readonly Token[] } {
  const features = minor >= 38 ? [2, 'delete-dead-specific-referrers', FEATURE] : [];
  const version = minor >= 33 ? ['2.99'] : [];
  const trust = minor >= 35 ? [2] : [];
  return {
    theirs: [0x6478696f, 256 + minor, ...features, ...version, ...trust, LAST],
    ours: [0x6e697863, 256 + 38, ...(minor >= 38 ? [1, FEATURE] : []), 0, 0],
  };
}

/** Talks to a daemon of a version that answers as given, and asserts what is said to it after the hello. */
async function says(
  minor: number,
  answer: Buffer,
  use: (store: WorkerStore) => Promise<void>,
  expected: Buffer,
): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const heard: Buffer[] = [];
  const { theirs, ours } = hello(minor);
  const peer = await startPeer(await temporaryDirectory(resources), resources, (socket) => {
    socket.on('data', (chunk) => heard.push(chunk));
    socket.write(Buffer.concat([wire(...theirs), answer]));
  });
  const ended = Promise.withResolvers<void>();
  {
    await using store = await openStore(peer.uri, makeSettings());
    assert.ok(store instanceof WorkerStore);
    await use(store);
    const wanted = Buffer.concat([wire(...ours), expected]);
    // What was written last may still be on its way.
    for (let turn = 0; turn < 1_000 && Buffer.concat(heard).length < wanted.length; turn++) {
      await new Promise(setImmediate);
    }
    assert.deepEqual(Buffer.concat(heard), wanted);
    ended.resolve();
  }
  await ended.promise;
}

const ADD_INFO: readonly Token[] = [FULL, '', HEX, 0, 0, OBJECT.info.narSize, 0, 0];
const CA = `fixed:r:sha256:${printDigest(OBJECT.info.narHash, 'nix32')}`;

describe('a daemon is told', () => {
  for (const minor of [23, 34, 38]) {
    test(`which paths are asked for, in version 1.${minor}`, () =>
      says(
        minor,
        wire(LAST, 1, FULL),
        async (store) => assert.equal(await store.isValidPath(OBJECT.info.path), true),
        // Before 1.27 there is nothing about substituting.
        minor < 27 ? wire(31, 1, FULL) : wire(31, 1, FULL, 0),
      ));
  }

  test('one path after the other before 1.32', () =>
    says(
      31,
      wire(LAST, LAST),
      (store) => {
        const object = { info: OBJECT.info, nar: narSource(OBJECT.nar) };
        return store.addMultipleToStore([object, object], { checkSigs: true });
      },
      Buffer.concat(
        [1, 2].flatMap(() => [wire(39, ...ADD_INFO, CA, 0, 0), wire(OBJECT.nar.length), OBJECT.nar, wire(0)]),
      ),
    ));

  test('all paths in one stream from 1.32 on', () => {
    const one = Buffer.concat([wire(...ADD_INFO, CA), OBJECT.nar]);
    const contents = Buffer.concat([wire(2), one, one]);
    return says(
      38,
      wire(LAST),
      (store) => {
        const object = { info: OBJECT.info, nar: narSource(OBJECT.nar) };
        return store.addMultipleToStore([object, object]);
      },
      Buffer.concat([wire(44, 0, 1, contents.length), contents, wire(0)]),
    );
  });

  for (const [minor, answer] of [
    [28, [LAST, 0, '', 0]],
    [34, [LAST, 0, '', 1, 0, 5, 6, 0]],
    [37, [LAST, 0, '', 1, 0, 5, 6, 1, 7, 0, 0]],
    [38, [LAST, 0, '', 1, 0, 5, 6, 1, 7, 0, 1, 'out', FULL, 0]],
  ] as const) {
    test(`what to build in version 1.${minor}, and answers in its words`, () => {
      const { drvPath, derivation, out } = makeDerivation('x', 'true', [OBJECT.info.path]);
      const [drv, output] = [drvPath, out].map((path) => printStorePath(DEFAULT_STORE_DIR, path));
      return says(
        minor,
        wire(...answer),
        async (store) => {
          const result = await store.buildDerivation(drvPath, derivation, 'check');
          assert.equal(result.status, 'built');
          assert.equal(result.startTime, minor >= 29 ? 5 : 0);
          assert.equal(result.cpuUser, minor >= 37 ? 7 : undefined);
          assert.deepEqual([...result.builtOutputs.keys()], minor >= 38 ? ['out'] : []);
        },
        wire(
          ...[36, drv!, 1, 'out', output!, '', '', 1, FULL, 'x86_64-linux', '/bin/sh', 2, '-c', 'true'],
          ...[2, 'PATH', '/bin:/usr/bin', 'out', output!, 2],
        ),
      );
    });
  }

  for (const [minor, operation, spelled, answer, status] of [
    [29, 9, '', [LAST, 1], undefined],
    [33, 9, '!*', [LAST, 1], undefined],
    [34, 46, '!*', [LAST, 1, 'DRV!*', 8, 'slow', 0, 0, 0, 0, 0], 'timedOut'],
  ] as const) {
    test(`which derivations are wanted in version 1.${minor}`, () => {
      const { drvPath } = makeDerivation('x', 'true');
      const drv = printStorePath(DEFAULT_STORE_DIR, drvPath);
      return says(
        minor,
        wire(...answer.map((token) => (typeof token === 'string' ? token.replace('DRV', drv) : token))),
        async (store) => {
          const building = store.buildPaths([{ kind: 'built', path: drvPath, outputs: 'all' }], 'normal');
          if (status === undefined) return await building;
          await assert.rejects(building, (error) => error instanceof BuildError && error.failure.status === status);
        },
        wire(operation, 1, drv + spelled, 0),
      );
    });
  }

  test('nothing where it is only asked who it is', () =>
    says(
      38,
      Buffer.alloc(0),
      async (store) => assert.deepEqual(await store.queryDaemon(), { nixVersion: '2.99', trustsUs: false }),
      Buffer.alloc(0),
    ));
});
