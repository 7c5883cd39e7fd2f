/** Builds in a store of stock Nix behind OpenSSH's server, for a local store here. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildError, type InvalidPathError } from '../../src/errors.ts';
import { parseDerivation } from '../../src/formats/derivation.ts';
import { hashBytes } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, parseStorePath, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import type { BuildReply, Notice, Request } from '../../src/pool/messages.ts';
import { WorkerPool } from '../../src/pool/worker-pool.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { removeTree } from '../../src/stores/remove-tree.ts';
import type { Staging } from '../../src/stores/staging.ts';
import { openTestStore } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { daemonEnvironment, startNixDaemon } from '../support/nix-daemon.ts';
import { makeDerivation, openRemote } from '../support/remote-proofs.ts';
import { lines, output } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { sshdMissing, startSshd } from '../support/sshd.ts';
import { add, makeBuiltObject, makeObject, readNar } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const LEAF = makeObject('leaf', file('from leaf'));
const USER = await makeBuiltObject('user', file('from user'), { references: [LEAF.info.path] });
const INPUTS = [LEAF.info.path, USER.info.path];
const full = (path: StorePath): string => printStorePath(DEFAULT_STORE_DIR, path);
/** Refers to an input and to itself. */
const SCRIPT = `cat ${full(LEAF.info.path)} ${full(USER.info.path)} > $out; echo " $out ${full(USER.info.path)}" >> $out`;

interface Place {
  readonly local: LocalStore;
  readonly localRoot: string;
  readonly staging: Staging;
  readonly remoteRoot: string;
  readonly nix: Nix;
  readonly uri: (scheme: string) => string;
}

/** A local store with inputs, and another of stock Nix behind ssh. */
async function openPlace(resources: AsyncDisposableStack, lines: readonly string[] = []): Promise<Place> {
  const { path } = resources.use(await makeScratch());
  const nix = await Nix.open(`${path}/home`);
  const [localRoot, remoteRoot] = [`${path}/local`, `${path}/remote`];
  await nix.output('nix-store', '--store', remoteRoot, '--init');
  const server = await startSshd(`${path}/sshd`, resources, daemonEnvironment(nix, remoteRoot, lines));
  const key = `ssh-key=${server.key}&base64-ssh-public-host-key=${encodeURIComponent(server.hostKey)}`;
  const local = await openTestStore(localRoot, resources);
  await add(local, LEAF, USER);
  const staging = resources.use(await local.openStaging());
  return { local, localRoot, staging, remoteRoot, nix, uri: (scheme) => `${scheme}://${server.authority}?${key}` };
}

interface BuildOptions {
  readonly scheme: string;
  readonly settings?: Partial<Settings>;
  readonly signal?: AbortSignal;
  readonly onNotice?: (notice: Notice) => void;
  readonly inputPaths?: readonly StorePath[];
  readonly pool?: WorkerPool;
}

/** Runs the job in a worker thread, as a scheduler would. */
async function build(
  { localRoot, staging, uri }: Pick<Place, 'localRoot' | 'staging' | 'uri'>,
  { drvPath, derivation, out }: ReturnType<typeof makeDerivation>,
  { scheme, settings, signal, onNotice, inputPaths = INPUTS, pool: given }: BuildOptions,
): Promise<BuildReply> {
  await using own = given === undefined ? new WorkerPool({ settings: makeSettings(settings) }) : undefined;
  const pool = given ?? own!;
  const directory = join(staging.dir, drvPath);
  mkdirSync(directory);
  const request: Request<'remoteBuild'> = {
    store: localRoot,
    on: uri(scheme),
    drvPath,
    derivation,
    inputPaths,
    graphs: {},
    outputs: [{ name: 'out', path: out }],
    staging: directory,
    mode: 'normal',
  };
  return await pool.run('remoteBuild', request, { signal, ...(onNotice && { onNotice }) });
}

for (const scheme of ['ssh-ng', 'ssh']) {
  test(`a derivation is built at ${scheme}://`, { skip: nixMissing || sshdMissing }, async (t) => {
    await using resources = new AsyncDisposableStack();
    const place = await openPlace(resources);
    const { local, localRoot, staging, remoteRoot, nix } = place;

    await t.test('with its inputs, and its output comes back', async () => {
      const made = makeDerivation('made', `echo working; ${SCRIPT}`);
      const notices: Notice[] = [];
      const reply = await build(place, made, { scheme, onNotice: (notice) => void notices.push(notice) });
      const [output] = reply.outputs;
      assert.deepEqual([output?.name, output?.info.path], ['out', made.out]);
      assert.deepEqual(output?.info.references, [USER.info.path, made.out].sort());
      assert.equal(output?.info.deriver, made.drvPath);
      assert.ok(reply.stopTime >= reply.startTime && reply.startTime > 0);
      if (scheme === 'ssh-ng') assert.deepEqual(notices, [{ kind: 'log', lines: ['working'] }, { kind: 'built' }]);

      const [outcome] = await local.registerStaged([{ info: output!.info, location: output!.location! }]);
      assert.equal(outcome?.state, 'registered');
      assert.ok((await readNar(local, made.out)).includes('from leaffrom user'));
      const closure = [...INPUTS, made.out].map(full).sort();
      for (const root of [localRoot, remoteRoot]) {
        assert.deepEqual(await nix.closure(root, full(made.out)), closure);
        assert.deepEqual(await nix.problems(root), []);
      }
    });

    await t.test('beside others, each over a connection of its own', async () => {
      // The first ends when it is told to, which is when the second has ended.
      const endless = makeDerivation('endless', 'while :; do echo working; done');
      const controller = new AbortController();
      const reason = new Error('long enough');
      const begun = Promise.withResolvers<void>();
      await using pool = new WorkerPool({ settings: makeSettings({ workerThreads: 1 }) });
      const first = build(place, endless, { scheme, signal: controller.signal, onNotice: () => begun.resolve(), pool });
      const ended = assert.rejects(first, reason);
      await begun.promise;
      const second = await build(place, makeDerivation('beside', SCRIPT), { scheme, pool });
      assert.equal(second.outputs.length, 1);
      controller.abort(reason);
      await ended;
    });

    await t.test('several at once, which send what all of them need only once', async () => {
      // A daemon that is sent what it already has loses its place in the stream.
      const shared = Array.from({ length: 8 }, (_, index) =>
        makeObject(`shared-${scheme}-${index}`, file('s'.repeat(9e5))),
      );
      await add(local, ...shared);
      const inputs = shared.map(({ info }) => info.path).sort();
      await using pool = new WorkerPool({ settings: makeSettings({ workerThreads: 2 }) });
      const made = Array.from({ length: 4 }, (_, index) =>
        makeDerivation(`sharing-${scheme}-${index}`, 'echo > $out', inputs),
      );
      const replies = await Promise.all(made.map((each) => build(place, each, { scheme, pool, inputPaths: inputs })));
      assert.deepEqual(
        replies.map(({ outputs }) => outputs[0]?.info.path),
        made.map(({ out }) => out),
      );
    });

    await t.test('where the inputs are there already', async () => {
      const again = makeDerivation('again', SCRIPT);
      const { outputs } = await build(place, again, { scheme });
      assert.equal(outputs[0]?.info.path, again.out);
    });

    await t.test('or fails, with the end of its log', async () => {
      const failing = makeDerivation('failing', 'echo one; echo two; echo three; exit 7');
      await assert.rejects(build(place, failing, { scheme, settings: { logLines: 2 } }), (error) => {
        assert.ok(error instanceof BuildError);
        assert.equal(error.failure.status, 'permanentFailure');
        assert.match(error.message, /failing\.drv' could not be built on 'ssh.*exit code 7/);
        if (scheme === 'ssh-ng') assert.deepEqual(error.failure.logTail, ['two', 'three']);
        return true;
      });
      assert.deepEqual(readdirSync(join(staging.dir, failing.drvPath)), []);
    });

    await t.test('or takes too long', async () => {
      const slow = makeDerivation('slow', 'while :; do :; done');
      await assert.rejects(
        build(place, slow, { scheme, settings: { timeout: 1 } }),
        (error) => error instanceof BuildError && error.failure.status === 'timedOut',
      );
    });

    await t.test('or is not wanted any more', async () => {
      const cancelled = makeDerivation('cancelled', 'while :; do echo working; done');
      const controller = new AbortController();
      const reason = new Error('not needed any more');
      const onNotice = (): void => controller.abort(reason);
      await assert.rejects(build(place, cancelled, { scheme, signal: controller.signal, onNotice }), reason);
      assert.deepEqual(readdirSync(join(staging.dir, cancelled.drvPath)), []);
    });

    await t.test('but not with inputs that are not here', async () => {
      const missing = makeObject('missing', file('x')).info.path;
      const made = makeDerivation('without', SCRIPT);
      await assert.rejects(
        build(place, made, { scheme, inputPaths: [missing] }),
        (error) => (error as InvalidPathError).code === 'ERR_INVALID_PATH',
      );
    });

    await t.test('but not with an output that refers to something else', async () => {
      // It is there, but no input: a builder elsewhere that has it in its sandbox could write its name.
      const stranger = makeObject('stranger', file('x'));
      const there = await openRemote(place.uri(scheme), resources);
      await add(there, stranger);
      const made = makeDerivation('strange', `echo ${full(stranger.info.path)} > $out`);
      const inputs = makeDerivation('strange', `echo ${full(stranger.info.path)} > $out`, [stranger.info.path]);
      await there.buildDerivation(made.drvPath, inputs.derivation, 'normal');
      await assert.rejects(
        build(place, made, { scheme }),
        (error) =>
          error instanceof BuildError && error.failure.status === 'outputRejected' && /stranger/.test(error.message),
      );
      assert.deepEqual(readdirSync(join(staging.dir, made.drvPath)), []);
    });
  });
}

test('a fixed output that is another is not taken', { skip: nixMissing || sshdMissing }, async () => {
  await using resources = new AsyncDisposableStack();
  const place = await openPlace(resources);
  const made = makeDerivation('fixed', 'echo other > $out');
  // The other side is told that it is not fixed, and so cannot tell.
  const there = await openRemote(place.uri('ssh-ng'), resources);
  await there.buildDerivation(made.drvPath, made.derivation, 'normal');
  const contentAddress = { method: 'flat', hash: hashBytes('sha256', 'wanted\n') } as const;
  const derivation = { ...made.derivation, outputs: new Map([['out', { path: made.out, contentAddress }]]) };
  await assert.rejects(
    build(place, { ...made, derivation }, { scheme: 'ssh-ng' }),
    (error) => error instanceof BuildError && error.failure.status === 'outputRejected',
  );
});

test('who is not trusted there asks for the derivation itself', { skip: nixMissing }, async () => {
  await using resources = new AsyncDisposableStack();
  const { path } = resources.use(await makeScratch());
  const daemon = await startNixDaemon(`${path}/d`, resources, ['trusted-users = nobody-at-all']);
  const localRoot = `${path}/local`;
  const local = await openTestStore(localRoot, resources);
  await add(local, LEAF);
  const staging = resources.use(await local.openStaging());
  const expression = `derivation {
    name = "proved"; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/bin:/usr/bin";
    args = [ "-c" "cat $leaf > $out" ]; leaf = builtins.storePath ${full(LEAF.info.path)};
  }`;
  const env = { ...daemon.nix.env, NIX_REMOTE: localRoot };
  const [drvFile] = lines(await output('nix-instantiate', ['-E', expression], { env }));
  const drvPath = parseStorePath(DEFAULT_STORE_DIR, drvFile!);
  const text = await readFile(local.realPath(drvPath));
  const derivation = parseDerivation(DEFAULT_STORE_DIR, 'proved', text);
  const out = derivation.outputs.get('out')!.path;
  const place = { localRoot, staging, uri: () => daemon.uri };
  const { outputs } = await build(
    place,
    { drvPath, derivation, out },
    { scheme: 'unix', inputPaths: [LEAF.info.path] },
  );
  assert.deepEqual(
    outputs.map(({ info }) => info.path),
    [out],
  );
  assert.deepEqual(await daemon.nix.problems(daemon.root), []);
});

test('with builders-use-substitutes nothing is sent that the other side can fetch', {
  skip: nixMissing || sshdMissing,
}, async () => {
  await using resources = new AsyncDisposableStack();
  const { path } = resources.use(await makeScratch());
  const lines = ['substitute = true', `substituters = file://${path}/cache`, 'require-sigs = false'];
  const place = await openPlace(resources, lines);
  const copy = [
    'copy',
    '--no-check-sigs',
    '--from',
    place.localRoot,
    '--to',
    `file://${path}/cache`,
    full(USER.info.path),
  ];
  await place.nix.output('nix', ...copy);
  // Whoever would read them here finds nothing.
  for (const input of INPUTS) await removeTree(place.local.realPath(input));
  const made = makeDerivation('substituted', SCRIPT);
  await assert.rejects(build(place, made, { scheme: 'ssh-ng' }), { code: 'ERR_INVALID_PATH' });
  const settings = { buildersUseSubstitutes: true };
  const { outputs } = await build(
    place,
    { ...made, ...makeDerivation('fetched', SCRIPT) },
    { scheme: 'ssh-ng', settings },
  );
  assert.equal(outputs.length, 1);
});
