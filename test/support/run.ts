/** Other programs as functions: run to their end, with what they printed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

// The tests, and whatever they start, see nothing of how the machine is configured.
Object.assign(process.env, { NIX_CONF_DIR: '/no-such-directory', NIX_USER_CONF_FILES: '', NIX_CONFIG: '' });
// And nothing of what was learned of binary caches, as ports come again: no file can be made where these are kept.
// Compiled code is what it was, and is shared.
const { XDG_CACHE_HOME, HOME, NODE_COMPILE_CACHE } = process.env;
const caches = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
/** Where the user's caches are, for what is to last. */
export const USER_CACHES: string | undefined = caches || undefined;
if (caches && !NODE_COMPILE_CACHE) process.env.NODE_COMPILE_CACHE = join(caches, 'sluice/compile-cache');
process.env.XDG_CACHE_HOME = '/dev/null';

export interface RunOptions {
  readonly cwd?: string | undefined;
  /** On top of this process's environment; undefined removes. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly input?: Uint8Array | string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined where a signal ended it. */
  readonly code: number | undefined;
}

/** A program that takes longer, in milliseconds, hangs, and is ended. */
const TIMEOUT = 300_000;

/** Runs a program, whatever its exit code. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { cwd, env, input = '', signal } = options;
  using child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: 'pipe', signal, timeout: TIMEOUT });
  const closed = Promise.withResolvers<number | undefined>();
  child.on('error', closed.reject);
  child.on('close', (code) => closed.resolve(code ?? undefined));
  child.stdin.on('error', () => {}); // a program that ends early does not read all: its exit code tells
  child.stdin.end(input);
  const [code, stdout, stderr] = await Promise.all([closed.promise, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** What a program prints to stdout; it must end with exit code 0. */
export async function output(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  assert.equal(code, 0, `${command} ${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`);
  return stdout;
}

/** The lines of a text, without the empty one at its end. */
export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** The entry of the command line, as it lies in the checkout. */
export const MAIN: string = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Runs the command line of this checkout in a process of its own. */
export function sluice(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return run(process.execPath, [MAIN, ...args], options);
}

/** Whether there is a program of that name. */
export function isOnPath(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Options for a test that needs programs: it is skipped, with the reason, where one is missing. Where
 * SLUICE_REQUIRE_NIX is set nothing is skipped, so that it fails.
 */
export function needs(...commands: readonly string[]): { readonly skip: string | false } {
  const missing = commands.filter((command) => !isOnPath(command));
  if (missing.length === 0 || process.env.SLUICE_REQUIRE_NIX) return { skip: false };
  return { skip: `not on PATH: ${missing.join(', ')}` };
}
