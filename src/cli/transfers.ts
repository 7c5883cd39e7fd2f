/** What `realise` and `copy` have in common: which paths, and what is said and printed once they have ended. */
import { BuildError, SluiceError, UsageError } from '../errors.ts';
import { parseStorePath, printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { RealiseResult } from '../scheduler/scheduler.ts';
import type { Cli, Output, Work } from './command.ts';
import type { Failures } from './failures.ts';
import { readText } from './read-text.ts';

/** A million store paths. */
const MAX_INPUT = 256 * 1024 * 1024;

export interface PathOptions {
  readonly stdin?: boolean;
}

/**
 * The paths on the command line, with those on the standard input where `--stdin` asks for it; each once.
 *
 * @throws {UsageError} where there is none.
 */
export async function readPaths(
  args: readonly string[],
  { stdin }: PathOptions,
  cli: Cli,
  storeDir: StoreDir,
): Promise<StorePath[]> {
  const lines = stdin ? (await readText(cli.stdin, MAX_INPUT)).split(/\s+/).filter((word) => word !== '') : [];
  const paths = new Set([...args, ...lines].map((text) => parseStorePath(storeDir, text)));
  if (paths.size === 0 && !stdin) {
    throw new UsageError('no store paths are given', { hint: `write them in full: ${storeDir}/HASH-NAME` });
  }
  return [...paths];
}

/** Sums up, tells what failed, and sets the exit code. */
export function finishTransfers(
  results: readonly RealiseResult[],
  failures: Failures,
  { reporter }: Work,
  cli: Cli,
): void {
  reporter.summarise();
  for (const text of failures.describe(results, cli)) reporter.say('error', text);
  if (results.some(({ state }) => state !== 'succeeded')) cli.exitCode = 1;
}

/** The full paths that are valid now, one a line. */
export async function printValidPaths(
  results: readonly RealiseResult[],
  storeDir: StoreDir,
  stdout: Output,
): Promise<void> {
  const valid = results.filter(({ state }) => state === 'succeeded');
  await stdout.write(valid.map(({ path }) => `${printStorePath(storeDir, path)}\n`).join(''));
}

/** How each path ended, as an array of objects with `path`, `state`, and `how` or `error`. */
export async function printResultsJson(
  results: readonly RealiseResult[],
  storeDir: StoreDir,
  stdout: Output,
): Promise<void> {
  await stdout.write(`${JSON.stringify(results.map((result) => toJson(result, storeDir)))}\n`);
}

function toJson(result: RealiseResult, storeDir: StoreDir): object {
  const path = printStorePath(storeDir, result.path);
  if (!('failure' in result)) return { ...result, path };
  return { path, state: result.state, error: errorToJson(result.failure) };
}

/**
 * As programs read it: `code`, `message`, `hint`; `build`, what is known of a build that failed; and `cause` where that is
 * an error of this project, too.
 */
export function errorToJson(error: SluiceError): object {
  const { code, message, hint, cause } = error;
  const build = error instanceof BuildError ? { build: error.failure } : {};
  return { code, message, hint, ...build, ...(cause instanceof SluiceError && { cause: errorToJson(cause) }) };
}
