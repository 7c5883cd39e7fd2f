/**
 * One run of a builder: from its start to the moment at which nothing of it is left, within its limits.
 *
 * Source: Nix 2.35 libstore/build/worker.cc, waitForInput; libstore/unix/build/derivation-builder.cc, unprepareBuild.
 */
import { once } from 'node:events';
import type { Settings } from '../settings.ts';
import { type ExitStatus, exitOf, type SpawnedProcess, type SpawnOptions, spawnProcess } from './spawn.ts';
import type { Watchdog } from './watchdog.ts';

export interface RunOptions {
  readonly spawn: SpawnOptions;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly watchdog: Watchdog;
  /** Takes what the builder prints, and may stop it from printing. */
  readonly onOutput: (chunk: Buffer, process: SpawnedProcess) => void;
  /** `NAME=VALUE`: a variable by which processes of this builder are known that have left its process group. */
  readonly mark?: string | undefined;
  /** Kills what runs under the user of the build, where it has one. */
  readonly killUser?: (() => void) | undefined;
}

/** How a run ended. */
export type RunEnd =
  | { readonly state: 'exited'; readonly status: ExitStatus }
  /** After so many seconds in all, or of silence. */
  | { readonly state: 'timedOut'; readonly seconds: number; readonly silent: boolean }
  | { readonly state: 'logLimitExceeded' };

/** In milliseconds: how often it is looked whether a builder has ended that others keep printing for. */
const LOOK_EVERY = 200;
/** In milliseconds: for how long these may go on. */
const GRACE = 1_000;
/** setTimeout takes no longer time, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * Runs a builder to its end. What it left behind in its process group is killed.
 *
 * @throws the reason of `signal`, once everything is killed.
 */
export async function runBuilder(options: RunOptions): Promise<RunEnd> {
  const { settings, signal, watchdog, onOutput, killUser } = options;
  signal.throwIfAborted();
  using running = new DisposableStack();
  const child = spawnProcess(options.spawn);
  running.use(watchdog.watch(child.pid, options.mark));

  let stopped: RunEnd | undefined;
  const stop = (reason?: RunEnd): void => {
    stopped ??= reason;
    child.kill();
    killUser?.();
  };
  const limit = (seconds: number, silent: boolean): NodeJS.Timeout | undefined => {
    if (seconds === 0) return undefined;
    const timer = setTimeout(() => stop({ state: 'timedOut', seconds, silent }), Math.min(seconds * 1_000, LONGEST));
    running.adopt(timer, clearTimeout);
    return timer;
  };
  limit(settings.timeout, false);
  const silence = limit(settings.maxSilentTime, true);
  const onAbort = (): void => stop();
  signal.addEventListener('abort', onAbort, { once: true });
  running.defer(() => signal.removeEventListener('abort', onAbort));

  let printed = 0;
  child.output.on('data', (chunk: Buffer) => {
    silence?.refresh();
    printed += chunk.length;
    if (settings.maxBuildLogSize > 0 && printed > settings.maxBuildLogSize) stop({ state: 'logLimitExceeded' });
    else if (stopped === undefined) onOutput(chunk, child);
  });
  child.output.on('error', () => child.output.destroy());
  await outputEnd(child);
  child.kill();
  const status = await exitOf(child);
  killUser?.();
  signal.throwIfAborted();
  return stopped ?? { state: 'exited', status };
}

/** Done when nobody can print any more, or when the builder has ended and others do not. */
async function outputEnd(child: SpawnedProcess): Promise<void> {
  using looking = new DisposableStack();
  let ended = 0;
  const timer = setInterval(() => {
    if (!child.hasExited()) return;
    child.kill(); // the rest of its group
    ended += LOOK_EVERY;
    if (ended >= GRACE) child.output.destroy();
  }, LOOK_EVERY);
  looking.adopt(timer, clearInterval);
  await once(child.output, 'close');
}
