/** Why a derivation cannot be built on this machine. Source: Nix 2.35 libstore/build/derivation-building-goal.cc. */
import { BuildError, type SluiceError } from '../errors.ts';
import { printStorePath } from '../formats/store-path.ts';
import type { BuildTask } from '../goals/derivation-context.ts';
import type { Settings } from '../settings.ts';

/** Systems whose programs run on others as they are. */
const RUNS_ALSO: Readonly<Record<string, readonly string[]>> = { 'x86_64-linux': ['i686-linux'] };

/** In words; none where it can be built here. */
export function localObstacles({ derivation, options }: BuildTask, settings: Settings): string[] {
  const { builder, system } = derivation;
  const obstacles: string[] = [];
  // What downloads takes a slot of those that download, of which there is always one.
  if (settings.maxJobs === 0 && builder !== 'builtin:fetchurl') obstacles.push('max-jobs is 0');
  const systems = [settings.system, ...settings.extraPlatforms, ...(RUNS_ALSO[settings.system] ?? [])];
  if (!builder.startsWith('builtin:') && !systems.includes(system)) {
    obstacles.push(`it is for ${system}, and this is ${settings.system}`);
  }
  const missing = options.requiredSystemFeatures.filter((feature) => !settings.systemFeatures.includes(feature));
  if (missing.length > 0) obstacles.push(`this machine lacks the features it wants: ${missing.join(', ')}`);
  return obstacles;
}

/** @param lost - why the machines that could build it are of no use any more. */
export function rejection(
  { drvPath, storeDir }: BuildTask,
  obstacles: readonly string[],
  lost?: SluiceError | undefined,
): BuildError {
  const shown = printStorePath(storeDir, drvPath);
  const reasons = lost === undefined ? obstacles : [...obstacles, `no machine is left: ${lost.message}`];
  return new BuildError(`unable to build '${shown}': ${reasons.join('; ')}`, {
    cause: lost,
    failure: { status: lost === undefined ? 'inputRejected' : 'transientFailure' },
    hint: 'max-jobs, system, extra-platforms and system-features say what is built here, builders what elsewhere',
  });
}
