/**
 * Running setting `post-build-hook`: what uploads outputs, most often.
 *
 * Source: Nix 2.35 manual, "nix.conf", post-build-hook; libstore/build/derivation-building-goal.cc, runPostBuildHook.
 */
import { BuildError } from '../../errors.ts';
import type { JobContext } from '../../pool/serve.ts';
import { BuilderLog } from '../builder-log.ts';
import { runBuilder } from '../run-builder.ts';
import { findProgram } from '../sandbox/probe.ts';
import { threadWatchdog } from '../watchdog.ts';
import { nixConfigOf } from './setting-texts.ts';

/** The hook runs as long as it likes. */
const NO_LIMITS = { timeout: 0, maxSilentTime: 0, maxBuildLogSize: 0 } as const;

/**
 * @param outPaths - with the store directory, as `drvPath`.
 * @throws {BuildError} where the hook fails.
 */
export async function runPostBuildHook(
  drvPath: string,
  outPaths: readonly string[],
  { settings, signal, tell }: JobContext,
): Promise<void> {
  const hook = settings.postBuildHook;
  const log = new BuilderLog({ tell, tailLines: settings.logLines, onFull: () => {} });
  const env = new Map(Object.entries(process.env).map(([name, value]) => [name, value ?? ''] as const));
  env.set('DRV_PATH', drvPath).set('OUT_PATHS', outPaths.join(' ')).set('NIX_CONFIG', nixConfigOf(settings));
  const end = await runBuilder({
    spawn: { program: findProgram(hook) ?? hook, args: [hook], env, cwd: process.cwd() },
    settings: { ...settings, ...NO_LIMITS },
    signal,
    watchdog: threadWatchdog(),
    onOutput: (chunk) => log.push(chunk),
  });
  log.finish();
  if (end.state === 'exited' && end.status.code === 0) return;
  const how = end.state !== 'exited' ? end.state : `exit code ${end.status.code ?? `of signal ${end.status.signal}`}`;
  throw new BuildError(`post-build-hook '${hook}' failed for '${drvPath}': ${how}`, {
    failure: { status: 'miscFailure', logTail: log.tail },
  });
}
