/** Stock Nix's daemon on a Unix socket. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError, UntrustedError } from '../../src/errors.ts';
import { printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { WorkerStore } from '../../src/stores/remote/worker-store.ts';
import { nixMissing } from '../support/nix.ts';
import { startNixDaemon } from '../support/nix-daemon.ts';
import { makeDerivation, openRemote, provesBuilds, provesCopies } from '../support/remote-proofs.ts';
import { makeScratch } from '../support/scratch.ts';
import { add, makeBuiltObject, makeObject, narSource } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

test('a stock daemon', { skip: nixMissing }, async (t) => {
  await using resources = new AsyncDisposableStack();
  const { path } = resources.use(await makeScratch());
  const daemon = await startNixDaemon(`${path}/d`, resources);
  await provesCopies(t, { ...daemon, directory: path });
  await provesBuilds(t, { ...daemon, directory: path });

  const store = await openRemote(daemon.uri, resources);
  assert.ok(store instanceof WorkerStore);

  await t.test('says which version it is; this one does not say whether it trusts us', async () => {
    const { nixVersion, trustsUs } = await store.queryDaemon();
    assert.match(nixVersion!, /^2\./);
    assert.equal(trustsUs, undefined);
  });

  await t.test('passes on the log of a build, and ends one that is too long', async () => {
    const { drvPath, derivation } = makeDerivation('logging', 'echo one; printf "two\\nthree" >&2; echo > $out');
    const log: string[] = [];
    const result = await store.buildDerivation(drvPath, derivation, 'normal', {
      onLogLine: (line) => void log.push(line),
    });
    assert.equal(result.status, 'built', result.message);
    assert.deepEqual(log, ['one', 'two', 'three']);
    const endless = makeDerivation('endless', 'while :; do echo abcdefghijklmnop; done');
    const ended = await store.buildDerivation(endless.drvPath, endless.derivation, 'normal', { maxLogSize: 10_000 });
    assert.equal(ended.status, 'logLimitExceeded');
  });

  await t.test('finds out many paths in one round trip, and one that is missing among them', async () => {
    const objects = Array.from({ length: 1_200 }, (_, index) => makeObject(`p${index}`, file(`${index}`)));
    const [missing, ...there] = objects;
    await store.addMultipleToStore(there.map(({ info, nar }) => ({ info, nar: narSource(nar) })));
    const paths = objects.map(({ info }) => info.path);
    const infos = await store.queryPathInfos(paths);
    assert.equal(infos.size, there.length);
    assert.deepEqual(infos.get(paths[7]!)?.narHash, objects[7]!.info.narHash);
    const answers = await Promise.all(paths.map((each) => store.queryPathInfo(each)));
    assert.deepEqual(
      answers.flatMap((answer, index) => (answer === undefined ? [paths[index]] : [])),
      [missing!.info.path],
    );
    assert.equal((await store.queryValidPaths(paths)).size, there.length);
  });

  await t.test('builds paths, and says which one it could not', async () => {
    const [object] = [makeObject('source', file('x'))];
    await add(store, object!);
    await store.buildPaths([{ kind: 'opaque', path: object!.info.path }], 'normal');
    const nowhere = makeDerivation('nowhere', '').out;
    await assert.rejects(
      store.buildPaths([{ kind: 'opaque', path: nowhere }], 'normal'),
      (error) => error instanceof BuildError && error.message.includes(printStorePath(store.storeDir, nowhere)),
    );
  });
});

test('a stock daemon that does not trust us refuses what it cannot check', { skip: nixMissing }, async (t) => {
  await using resources = new AsyncDisposableStack();
  const { path } = resources.use(await makeScratch());
  const daemon = await startNixDaemon(`${path}/d`, resources, ['trusted-users = nobody-at-all']);
  const store = await openRemote(daemon.uri, resources);
  const unsigned = await makeBuiltObject('unsigned', file('x'));
  const isRefusal = (error: unknown): boolean => error instanceof UntrustedError && /trusted-users/.test(error.hint!);

  await t.test('a path that is not signed, and goes on', async () => {
    await assert.rejects(add(store, unsigned), isRefusal);
    assert.equal(await store.isValidPath(unsigned.info.path), false);
  });

  await t.test('but not one that is content-addressed', async () => {
    const object = makeObject('addressed', file('x'));
    await add(store, object);
    assert.equal(await store.isValidPath(object.info.path), true);
  });

  await t.test('a derivation', async () => {
    const { drvPath, derivation } = makeDerivation('untrusted', 'echo > $out');
    await assert.rejects(store.buildDerivation(drvPath, derivation, 'normal'), isRefusal);
  });
});

test('a daemon that is not there is said so', async () => {
  await using store = await openStore('unix:///no/such/socket', makeSettings());
  await assert.rejects(
    store.isValidPath(makeObject('x', file('x')).info.path),
    (error) => error instanceof Error && /cannot connect to 'unix:\/\/\/no\/such\/socket'.*ENOENT/.test(error.message),
  );
});
