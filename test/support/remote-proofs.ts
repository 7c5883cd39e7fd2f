/** What must hold of a remote store of stock Nix, whatever protocol leads there. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { BasicDerivation } from '../../src/formats/derivation.ts';
import { hashBytes } from '../../src/formats/hash.ts';
import {
  DEFAULT_STORE_DIR,
  makeOutputPath,
  makeStorePath,
  printStorePath,
  type StorePath,
} from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { isRemoteStore, type RemoteStore } from '../../src/stores/remote-store.ts';
import { makeDerivedStore } from './derived-store.ts';
import type { Nix } from './nix.ts';
import { lines, type RunOptions, sluice } from './run.ts';
import { readNar } from './store-objects.ts';

/** A store of stock Nix, from both sides. */
export interface Remote {
  readonly uri: string;
  /** Of the chroot store that it is. */
  readonly root: string;
  readonly nix: Nix;
  /** An empty directory. */
  readonly directory: string;
  /** For the command line. */
  readonly env?: RunOptions['env'];
}

/** Opens a store that is one behind a protocol of Nix. */
export async function openRemote(uri: string, resources: AsyncDisposableStack): Promise<RemoteStore> {
  const store = resources.use(await openStore(uri, makeSettings()));
  assert.ok(isRemoteStore(store));
  return store;
}

/** Closures go there and come back by the command line, and stock Nix finds them as they were. */
export async function provesCopies(t: TestContext, { uri, root, nix, directory, env }: Remote): Promise<void> {
  const from = join(directory, 'source');
  await mkdir(from);
  const source = await makeDerivedStore(nix, from, { count: 40, derivations: 6 });
  const top = source.outputs.at(-1)!;

  await t.test('takes a closure, and stock Nix finds it as it was', async () => {
    const { code, stderr } = await sluice(['copy', '--no-check-sigs', '--from', source.root, '--to', uri, top], {
      env,
    });
    assert.equal(code, 0, stderr);
    assert.deepEqual(await nix.pathInfos(root, top), await nix.pathInfos(source.root, top));
    assert.deepEqual(await nix.problems(root), []);
  });

  await t.test('takes it twice without sending it again', async () => {
    const args = ['copy', '--no-check-sigs', '--json', '--from', source.root, '--to', uri, top];
    const { stdout } = await sluice(args, { env });
    assert.match(stdout, /alreadyValid/);
  });

  await t.test('tells what it knows of paths', async () => {
    const { stdout, stderr } = await sluice(['path-info', '--recursive', '--store', uri, top], { env });
    assert.deepEqual(lines(stdout).sort(), await nix.closure(root, top), stderr);
  });

  await t.test('is described only where it answers', async () => {
    const { code, stdout, stderr } = await sluice(['store', 'info', '--store', uri], { env });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Store URL: (?:unix|ssh|ssh-ng):\/\//);
    if (!uri.startsWith('ssh:')) assert.match(stdout, /^Version: 2\./m);
    const broken = await sluice(['store', 'info', '--store', 'unix:///no/such'], { env });
    assert.equal(broken.code, 1);
  });

  await t.test('is a substituter, in worker threads too', async () => {
    const to = join(directory, 'realised');
    const args = ['realise', top, '--store', to, '--substituter', uri, '--no-require-sigs'];
    const { code, stderr } = await sluice(args, { env });
    assert.equal(code, 0, stderr);
    assert.deepEqual(await nix.pathInfos(to, top), await nix.pathInfos(root, top));
    assert.deepEqual(await nix.problems(to), []);
  });

  await t.test('says which path it does not have', async () => {
    const missing = `/nix/store/${'0'.repeat(32)}-missing`;
    const { code, stderr } = await sluice(['copy', '--from', source.root, '--to', uri, missing], { env });
    assert.equal(code, 1);
    assert.match(stderr, /0-missing' is not valid in store/);
  });
}

/** A derivation that a shell builds. */
export function makeDerivation(
  name: string,
  script: string,
  inputSrcs: readonly StorePath[] = [],
): { readonly drvPath: StorePath; readonly derivation: BasicDerivation; readonly out: StorePath } {
  const hash = hashBytes('sha256', `${name} ${script}`);
  const out = makeOutputPath(DEFAULT_STORE_DIR, 'out', hash, name);
  const env = { PATH: '/bin:/usr/bin', out: printStorePath(DEFAULT_STORE_DIR, out) };
  return {
    out,
    drvPath: makeStorePath(DEFAULT_STORE_DIR, 'text', hash, `${name}.drv`),
    derivation: {
      name,
      outputs: new Map([['out', { path: out }]]),
      inputSrcs: inputSrcs.toSorted(),
      system: 'x86_64-linux',
      builder: '/bin/sh',
      args: ['-c', script],
      env: new Map(Object.entries(env)),
    },
  };
}

/** Builds there, and how they end. */
export async function provesBuilds(t: TestContext, { uri, root, nix }: Remote): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const store = await openRemote(uri, resources);

  await t.test('builds a derivation, and gives its output', async () => {
    const { drvPath, derivation, out } = makeDerivation('built', 'echo one; echo two; echo ü > $out');
    const result = await store.buildDerivation(drvPath, derivation, 'normal');
    assert.equal(result.status, 'built', result.message);
    assert.equal(result.timesBuilt, 1);
    assert.ok((await readNar(store, out)).includes('ü\n'));
    assert.deepEqual(await nix.problems(root), []);
    assert.equal((await store.buildDerivation(drvPath, derivation, 'normal')).status, 'alreadyValid');
  });

  await t.test('says how a build failed, and can be used again', async () => {
    const { drvPath, derivation, out } = makeDerivation('failing', 'echo no >&2; exit 3');
    const result = await store.buildDerivation(drvPath, derivation, 'normal');
    assert.equal(result.status, 'permanentFailure');
    assert.match(result.message, /exit code 3/);
    assert.equal(await store.isValidPath(out), false);
  });

  await t.test('is stopped where a build is silent for too long', async () => {
    const { drvPath, derivation } = makeDerivation('silent', 'read line < /dev/zero');
    const result = await store.buildDerivation(drvPath, derivation, 'normal', { maxSilentTime: 1 });
    assert.equal(result.status, 'timedOut');
  });

  await t.test('is stopped where a build takes too long, whatever it says', async () => {
    const { drvPath, derivation } = makeDerivation('slow', 'while sleep 0.1; do echo still here; done');
    const result = await store.buildDerivation(drvPath, derivation, 'normal', { timeout: 1, maxSilentTime: 5 });
    assert.equal(result.status, 'timedOut');
  });

  await t.test('stops when it is told to, and can be used again', async () => {
    const { drvPath, derivation, out } = makeDerivation('cancelled', 'while :; do :; done');
    const controller = new AbortController();
    const reason = new Error('not needed any more');
    const building = store.buildDerivation(drvPath, derivation, 'normal', { signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await assert.rejects(building, reason);
    assert.equal(await store.isValidPath(out), false);
  });
}
