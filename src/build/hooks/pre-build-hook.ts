/**
 * Running setting `pre-build-hook`, which may make more of the machine visible to one build.
 *
 * Source: Nix 2.35 manual, "nix.conf", pre-build-hook; libstore/unix/build/derivation-builder.cc, getPathsInSandbox.
 */
import { BuildError } from '../../errors.ts';
import { findProgram } from '../sandbox/probe.ts';
import { parseSandboxPath, type SandboxPath } from '../sandbox/sandbox-paths.ts';
import { readSpawned, spawnProcess } from '../spawn.ts';

const COMMANDS: ReadonlySet<string> = new Set(['extra-sandbox-paths', 'extra-chroot-dirs']);

/**
 * @param drvPath - with the store directory.
 * @param root - where the files of the sandbox are prepared.
 * @throws {BuildError} of status `inputRejected` where the hook fails or says what is not understood.
 */
export async function runPreBuildHook(hook: string, drvPath: string, root: string): Promise<SandboxPath[]> {
  const env = new Map(Object.entries(process.env).map(([name, value]) => [name, value ?? ''] as const));
  const program = findProgram(hook) ?? hook;
  const { output, status } = await readSpawned(spawnProcess({ program, args: [hook, drvPath, root], env, cwd: '/' }));
  if (status.code === 0) return parsePreBuildHook(output);
  throw rejected(`pre-build-hook '${hook}' failed for '${drvPath}': ${output.trim()}`);
}

/** Reads what the hook prints: `extra-sandbox-paths`, then paths, one a line, up to an empty line. */
export function parsePreBuildHook(output: string): SandboxPath[] {
  const paths: SandboxPath[] = [];
  let isPath = false;
  for (const line of output.split('\n').slice(0, -1)) {
    if (isPath && line !== '') paths.push(parseSandboxPath(line));
    else if (isPath) isPath = false;
    else if (COMMANDS.has(line)) isPath = true;
    else throw rejected(`unknown pre-build-hook command '${line}'`);
  }
  return paths;
}

function rejected(message: string): BuildError {
  return new BuildError(message, { failure: { status: 'inputRejected' } });
}
