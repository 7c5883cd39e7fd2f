/**
 * Tiny builds, in a sandbox and without: each reads one that came before, if any, and writes a file. Beside it stock Nix
 * builds the same derivations, where it is installed; both as processes of their own, from start to end, two builds at
 * once. And how long the event loop is kept while a scheduler in this process has them built: wanted are 20 ms.
 */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Scheduler } from '../src/scheduler/scheduler.ts';
import { nixMissing } from '../test/support/nix.ts';
import { lines, output } from '../test/support/run.ts';
import { buildSluice, type Comparison, makeHome } from './beside-nix.ts';
import { measureLoopDelay } from './loop-delay.ts';

const BUILDS = Number(process.env.SLUICE_BENCH_BUILDS ?? 3_000);
/** Of so many builds, all wait for the first. */
const FAN = 10;

const home = makeHome();
const built = buildSluice(home);
const expression = join(home, 'builds.nix');
writeFileSync(
  expression,
  `let make = name: inputs: derivation {
  inherit name inputs;
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" "echo $name $inputs > $out" ];
};
first = builtins.genList (number: make "first-\${toString number}" [ ]) ${BUILDS / FAN};
other = builtins.genList
  (number: make "other-\${toString number}" [ (builtins.elemAt first (number / ${FAN - 1})) ])
  ${(BUILDS / FAN) * (FAN - 1)};
in first ++ other
`,
);

/** What builders see in a sandbox, where the store is a chroot store; without one it is where it says that it is. */
const SANDBOX_PATHS = '/bin /lib /lib64 /usr';

function environment(sandbox: boolean): NodeJS.ProcessEnv {
  const settings = ['build-users-group =', 'substitute = false', `sandbox = ${sandbox}`, 'max-jobs = 2'];
  const directories = { NIX_STORE_DIR: `${home}/store`, NIX_STATE_DIR: `${home}/var`, NIX_LOG_DIR: `${home}/log` };
  return {
    ...process.env,
    HOME: home,
    NIX_CONF_DIR: home,
    NIX_CONFIG: [...settings, `sandbox-paths = ${SANDBOX_PATHS}`, 'fsync-metadata = false'].join('\n'),
    NIX_USER_CONF_FILES: '',
    ...(sandbox ? { NIX_REMOTE: `local?root=${home}/root` } : directories),
  };
}

/** What to do before and after each round, and in it: build with a command, which gets the derivations. */
function round(
  sandbox: boolean,
): readonly [
  run: (command: readonly string[]) => Promise<void>,
  hooks: { beforeEach(): Promise<void>; afterEach(): void },
  derivations: () => readonly string[],
] {
  const env = environment(sandbox);
  let derivations: readonly string[] = [];
  const hooks = {
    async beforeEach() {
      derivations = lines(await output('nix-instantiate', [expression], { env }));
      assert.equal(derivations.length, BUILDS);
    },
    afterEach() {
      for (const name of ['store', 'var', 'log', 'root']) rmSync(join(home, name), { recursive: true, force: true });
    },
  };
  const run = async ([program, ...args]: readonly string[]): Promise<void> => {
    const printed = await output(program!, [...args, ...derivations], { env });
    assert.equal(lines(printed).length, BUILDS); // never time a wrong answer
  };
  return [run, hooks, () => derivations];
}

const STORES = {
  'without a sandbox': [false, `local?store=${home}/store&state=${home}/var&log=${home}/log`],
  'in a sandbox': [true, `local?root=${home}/root`],
} as const;

/** Has them built in this process. */
async function measureDelay(): Promise<string> {
  const [, { beforeEach, afterEach }, derivations] = round(false);
  using resources = new DisposableStack();
  resources.defer(afterEach);
  await beforeEach();
  const settings = { maxJobs: 2, substitute: false, sandbox: 'false', buildUsersGroup: '', fsyncStorePaths: false };
  await using scheduler = await Scheduler.open({ store: STORES['without a sandbox'][1], settings });
  const { longest, busiest } = await measureLoopDelay(async () => {
    const outcomes = await scheduler.build(derivations().map((drvPath) => `${drvPath}^*`));
    assert.ok(outcomes.every((outcome) => outcome.state === 'succeeded' && outcome.how === 'built'));
  });
  return `the event loop was kept for at most ${Math.round(longest)} ms, with ${Math.round(busiest)} ms of work`;
}

const delay = nixMissing ? 'no stock Nix' : await measureDelay();

export const comparison: Comparison = {
  name: `${BUILDS} tiny builds; ${delay}`,
  rounds: 3,
  pairs: nixMissing ? [] : Object.entries(STORES).map(([where, [sandbox, store]]) => pairOf(where, sandbox, store)),
};

function pairOf(where: string, sandbox: boolean, store: string): Comparison['pairs'][number] {
  const [run, { beforeEach: before, afterEach: after }] = round(sandbox);
  const sluice = [...built, 'build', '--quiet', '--no-fsync-store-paths', '--store', store];
  const nix = ['nix-store', '--quiet', '--realise'];
  return [
    { name: `sluice build, ${where}`, run: () => run(sluice), before, after },
    { name: `nix-store --realise, ${where}`, run: () => run(nix), before, after },
  ];
}
