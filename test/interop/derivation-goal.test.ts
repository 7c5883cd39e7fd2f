/** Derivations of stock Nix, built by a scheduler with real threads: the same outcomes, and the same exit codes. */
import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BuildError } from '../../src/errors.ts';
import { parseStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { type BuildOutcome, exitStatusOf } from '../../src/scheduler/build-outcome.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import type { Settings } from '../../src/settings.ts';
import { type BuildStore, buildsMissing, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { nixMissing } from '../support/nix.ts';
import { startNixDaemon } from '../support/nix-daemon.ts';
import { run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

type Mode = 'normal' | 'check' | 'repair';

interface Case {
  readonly expression: string;
  readonly settings?: Partial<Settings>;
  /** The same for stock Nix. */
  readonly flags?: readonly string[];
  /** It has been built before. */
  readonly check?: boolean;
  readonly status: BuildOutcome['status'];
  /** Where it fails. */
  readonly message?: RegExp;
  /** Where Nix 2.8 does not do as 2.35 does. */
  readonly stock?: number;
  readonly exit: number;
}

const shell = shellDerivation;
const wait = '/bin/sleep 60';
const failing = `(${shell('failing', 'echo why >&2; exit 7')})`;
const slow = `(${shell('slow', wait)})`;
const fixed = (digits: string): string =>
  shell(
    'fixed',
    'printf hello > $out',
    `outputHash = "${digits}"; outputHashAlgo = "sha256"; outputHashMode = "flat";`,
  );
/** That of `hello`. */
const HELLO = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
const needs = (...inputs: readonly string[]): string =>
  shell('top', 'echo top > $out', `inputs = [ ${inputs.join(' ')} ];`);

const CASES: Readonly<Record<string, Case>> = {
  'a derivation with several outputs, of which another needs one': {
    expression: `let lib = ${shell('lib', 'echo lib > $out; echo $out > $dev', 'outputs = [ "out" "dev" ];')};
      in ${shell('app', '/bin/cat $lib > $out; echo $lib >> $out', 'lib = lib.dev;')}`,
    status: 'built',
    exit: 0,
  },
  'a builder that fails': {
    expression: failing,
    status: 'permanentFailure',
    message: /failed with exit code 7/,
    exit: 100,
  },
  'a dependency that fails': {
    expression: needs(failing),
    status: 'dependencyFailed',
    message: /^cannot build '.*-top\.drv': dependency '.*-failing\.drv' failed$/,
    exit: 100,
  },
  'dependencies that fail for several reasons, and keep-going': {
    expression: needs(failing, slow, `(${shell('fine', 'echo fine > $out')})`),
    settings: { keepGoing: true, timeout: 1 },
    flags: ['--keep-going', '--timeout', '1'],
    status: 'dependencyFailed',
    message: /and 1 more of its dependencies failed$/,
    exit: 101,
  },
  'a builder that takes too long': {
    expression: slow,
    settings: { timeout: 1 },
    flags: ['--timeout', '1'],
    status: 'timedOut',
    exit: 101,
  },
  'a fixed output': { expression: fixed(HELLO), status: 'built', exit: 0 },
  'a fixed output with other contents': {
    expression: fixed('0'.repeat(64)),
    status: 'outputRejected',
    message: /hash mismatch/,
    exit: 102,
  },
  'a derivation for another system': {
    expression: shell('foreign', 'echo > $out').replace('builtins.currentSystem', '"riscv64-linux"'),
    status: 'inputRejected',
    message: /^unable to build '.*-foreign\.drv': it is for riscv64-linux, and this is /,
    stock: 1,
    exit: 100,
  },
  'a derivation that wants a feature': {
    expression: shell('featured', 'echo > $out', 'requiredSystemFeatures = [ "quantum" ];'),
    status: 'inputRejected',
    message: /lacks the features it wants: quantum$/,
    stock: 1,
    exit: 100,
  },
  'max-jobs 0, and nobody else who builds': {
    expression: shell('none', 'echo > $out'),
    settings: { maxJobs: 0 },
    flags: ['--max-jobs', '0'],
    status: 'inputRejected',
    message: /^unable to build '.*-none\.drv': max-jobs is 0$/,
    stock: 1,
    exit: 100,
  },
  'an output that refers to what is not allowed': {
    expression: `let lib = ${shell('lib', 'echo lib > $out')};
      in ${shell('app', 'echo $lib > $out', 'inherit lib; allowedReferences = [ ];')}`,
    status: 'outputRejected',
    message: /must not refer to these, by its allowedReferences/,
    exit: 1,
  },
  'a check that finds the same': {
    expression: shell('same', 'echo same > $out'),
    check: true,
    status: 'built',
    exit: 0,
  },
  'a check that finds something else': {
    expression: shell('other', '/bin/cat /proc/sys/kernel/random/uuid > $out'),
    check: true,
    status: 'notDeterministic',
    exit: 104,
  },
};

const openScheduler = (builds: BuildStore, settings: Partial<Settings> = {}): Promise<Scheduler> =>
  Scheduler.open({
    store: builds.uri,
    substituters: [],
    settings: {
      buildUsersGroup: '',
      sandbox: 'false',
      fsyncMetadata: false,
      fsyncStorePaths: false,
      workerThreads: 1,
      ...settings,
    },
  });

async function build(
  builds: BuildStore,
  drvPath: string,
  settings: Partial<Settings> = {},
  mode: Mode = 'normal',
): Promise<BuildOutcome> {
  await using scheduler = await openScheduler(builds, settings);
  const [outcome] = await scheduler.build([`${drvPath}^*`], { mode });
  return outcome!;
}

/** What stock Nix complains of: nothing where all is well. */
async function problems({ env }: BuildStore): Promise<string[]> {
  const { stderr } = await run('nix-store', ['--verify', '--check-contents'], { env });
  return stderr.split('\n').filter((line) => line !== '' && !/^(reading the Nix store|checking )/.test(line));
}

/** No locks, and nothing staged. */
async function isClean({ store }: BuildStore): Promise<void> {
  const names = await readdir(store.realStoreDir);
  assert.deepEqual(
    names.filter((name) => /\.lock$|-tmp-sluice-|\.chroot$/.test(name)),
    [],
  );
}

describe('builds of derivations', { skip: buildsMissing }, () => {
  for (const [what, each] of Object.entries(CASES)) {
    test(`${what}: ${each.status}, exit code ${each.exit}`, async () => {
      await using scratch = await makeScratch();
      await using builds = await openBuildStore(join(scratch.path, 'ours'));
      const drvPath = await builds.instantiate(each.expression);
      if (each.check) await build(builds, drvPath);
      const outcome = await build(builds, drvPath, each.settings, each.check ? 'check' : 'normal');
      assert.equal(outcome.status, each.status, 'failure' in outcome ? outcome.failure.message : '');
      assert.equal(exitStatusOf([outcome]), each.exit);
      if ('failure' in outcome && each.message !== undefined) assert.match(outcome.failure.message, each.message);
      assert.deepEqual(await problems(builds), []);
      await isClean(builds);

      await using stock = await openBuildStore(join(scratch.path, 'stock'));
      const theirs = await stock.instantiate(each.expression);
      const realise = ['--realise', theirs, '--option', 'sandbox', 'false', ...(each.flags ?? [])];
      const { env } = stock;
      if (each.check) await run('nix-store', realise, { env });
      const { code } = await run('nix-store', each.check ? [...realise, '--check'] : realise, { env });
      assert.equal(code, each.stock ?? each.exit);
    });
  }

  test('with keep-going, all is built that can be', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const fine = shell('fine', 'echo fine > $out');
    const drvPath = await builds.instantiate(
      needs(failing, `(${fine})`, `(${shell('after', '/bin/cat $fine > $out', `fine = ${fine};`)})`),
    );
    await build(builds, drvPath, { keepGoing: true });
    const valid = (await builds.store.queryAllValidPaths()).filter((path) => !path.endsWith('.drv'));
    assert.deepEqual(valid.map((path) => path.slice(33)).sort(), ['after', 'fine']);
  });

  test('repair builds again what is spoiled or gone, and what outputs refer to', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const lib = shell('lib', 'echo lib > $out');
    const drvPath = await builds.instantiate(
      `let lib = ${lib}; in ${shell('app', 'echo $lib > $out', 'inherit lib;')}`,
    );
    assert.equal((await build(builds, drvPath)).status, 'built');
    const all = await builds.store.queryAllValidPaths();
    const [app, library] = ['app', 'lib'].map((name) => all.find((path) => path.endsWith(`-${name}`))!) as [
      StorePath,
      StorePath,
    ];
    const spoil = async (path: StorePath): Promise<void> => {
      await chmod(builds.store.realPath(path), 0o644);
      await writeFile(builds.store.realPath(path), 'spoiled');
    };
    await spoil(library);
    assert.equal((await build(builds, drvPath, {}, 'repair')).status, 'alreadyValid');
    assert.equal(await readFile(builds.store.realPath(library), 'utf8'), 'lib\n');
    await rm(builds.store.realPath(app));
    await spoil(library);
    assert.equal((await build(builds, drvPath, {}, 'repair')).status, 'built');
    assert.deepEqual(await problems(builds), []);

    await spoil(app);
    {
      await using scheduler = await openScheduler(builds);
      const [repaired] = await scheduler.repair([app]);
      assert.equal(repaired?.state, 'succeeded');
    }
    assert.deepEqual(await problems(builds), []);
    await isClean(builds);
  });

  test('a log is told while the builder runs, and the last of it with the failure', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(failing);
    await using scheduler = await openScheduler(builds);
    const told: string[] = [];
    scheduler.events.on('buildExpected', ({ name }) => told.push(`${name} expected`));
    scheduler.events.on('buildStarted', ({ name, machine }) => told.push(`${name} started, ${machine ?? 'here'}`));
    scheduler.events.on('buildLog', ({ lines }) => told.push(...lines));
    scheduler.events.on('buildFailed', ({ error }) => told.push(`failed, ${error?.code}`));
    const [outcome] = await scheduler.build([`${drvPath}^out`]);
    assert.deepEqual(told, ['failing expected', 'failing started, here', 'why', 'failed, ERR_BUILD']);
    assert.ok(outcome?.state === 'failed' && outcome.failure instanceof BuildError);
    assert.deepEqual(outcome.failure.failure.logTail, ['why']);
  });

  test('two schedulers that want the same build it once', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(
      shell('once', 'echo built >> /proc/self/fd/2; /bin/sleep 0.3; echo > $out'),
    );
    await using one = await openScheduler(builds);
    await using two = await openScheduler(builds);
    let logs = 0;
    for (const { events } of [one, two]) events.on('buildLog', () => void logs++);
    const outcomes = await Promise.all([one, two].map((scheduler) => scheduler.build([`${drvPath}^*`])));
    assert.deepEqual(outcomes.map(([outcome]) => outcome?.status).sort(), ['alreadyValid', 'built']);
    assert.equal(logs, 1);
  });

  test('an aborted build ends its builder, and leaves nothing', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(shell('endless', `echo begun; ${wait}`));
    const controller = new AbortController();
    {
      await using scheduler = await openScheduler(builds);
      scheduler.events.on('buildLog', () => controller.abort(new Error('stop')));
      await assert.rejects(scheduler.build([`${drvPath}^*`], { signal: controller.signal }), /stop/);
      assert.equal(await builds.store.isValidPath(parseStorePath(builds.store.storeDir, drvPath)), true);
    }
    await isClean(builds);
  });

  test('go to other machines, and past one that cannot be reached', { skip: nixMissing }, async () => {
    await using resources = new AsyncDisposableStack();
    const { path } = resources.use(await makeScratch());
    const builds = resources.use(await openBuildStore(join(path, 'ours'), 'chroot'));
    const there = await startNixDaemon(join(path, 'there'), resources);
    const drvPath = await builds.instantiate(`let lib = ${shell('lib', 'echo lib > $out')};
      in ${shell('app', 'echo made: $lib >&2; echo $lib > $out', 'inherit lib;')}`);
    const builders = `unix://${path}/nobody - - 8 9 ; ${there.uri} - - 2`;
    const told: string[] = [];
    {
      await using scheduler = await openScheduler(builds, { maxJobs: 0, builders });
      scheduler.events.on('machineSetAside', ({ machine }) => told.push(`without ${machine}`));
      scheduler.events.on('buildStarted', ({ name, machine }) => told.push(`${name} on ${machine}`));
      scheduler.events.on('buildLog', ({ lines }) => told.push(...lines.map((line) => line.replace(/\/.*-/, ''))));
      const [outcome] = await scheduler.build([`${drvPath}^*`]);
      assert.equal(outcome?.status, 'built', 'failure' in outcome! ? outcome.failure.message : '');
    }
    const nobody = `unix://${path}/nobody`;
    assert.deepEqual(told, [
      `lib on ${nobody}`,
      `without ${nobody}`,
      `lib on ${there.uri}`,
      `app on ${there.uri}`,
      'made: lib',
    ]);
    assert.deepEqual(await problems(builds), []);
    await isClean(builds);
    assert.deepEqual(await readdir(join(builds.store.stateDir, 'current-load')).then((all) => all.length > 1), true);
  });
});
