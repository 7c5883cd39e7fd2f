/** The same derivations built by stock Nix and by Sluice, with the same configuration, and what stock Nix says of the result. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { SANDBOX_PATHS } from './debian-derivations.ts';
import { type Nix, type NixPathInfo, parsePathInfos, problemsOf } from './nix.ts';
import { lines, MAIN, output, run } from './run.ts';

/** A store in which derivations are built. */
export interface BuildPlace {
  /** Where stock Nix, and what it has in its configuration, finds it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where Sluice finds it. */
  readonly uri: string;
}

export interface SluiceOptions {
  /** How many builds at once. */
  readonly jobs?: number;
  /** Is given each line that it tells, as it comes. */
  readonly onLine?: (line: string) => void;
}

/** What both are told: two builds at once, which see what the machine has. */
const SETTINGS = ['max-jobs = 2', 'cores = 1', `sandbox-paths = ${SANDBOX_PATHS.join(' ')}`, 'filter-syscalls = false'];

function environment(nix: Nix, settings: readonly string[]): BuildPlace['env'] {
  return { ...nix.env, NIX_CONFIG: [nix.env.NIX_CONFIG, ...SETTINGS, ...settings].join('\n') };
}

/** A chroot store, whose builders need a sandbox. */
export function chrootPlace(nix: Nix, root: string, settings: readonly string[] = []): BuildPlace {
  const uri = `local?root=${root}`;
  return { uri, env: { ...environment(nix, ['sandbox = true', ...settings]), NIX_REMOTE: uri } };
}

/** A store that lies where it is called: a builder without a sandbox finds its inputs. */
export function plainPlace(nix: Nix, dir: string): BuildPlace {
  const [store, state, log] = ['store', 'state', 'log'].map((name) => join(dir, name));
  return {
    uri: `local?store=${store}&state=${state}&log=${log}`,
    env: {
      ...environment(nix, ['sandbox = false']),
      NIX_STORE_DIR: store,
      NIX_STATE_DIR: state,
      NIX_LOG_DIR: log,
    },
  };
}

/** Writes the derivations of an expression into the store; their paths, with the store directory. */
export async function instantiate({ env }: BuildPlace, expressionFile: string): Promise<string[]> {
  return lines(await output('nix-instantiate', [expressionFile], { env }));
}

export async function buildWithNix({ env }: BuildPlace, drvPaths: readonly string[]): Promise<void> {
  await output('nix-store', ['--realise', ...drvPaths], { env });
}

/**
 * Builds, which must go well; the outputs are those that stock Nix knows.
 *
 * @returns what it told on the way.
 */
export async function buildWithSluice(
  place: BuildPlace,
  drvPaths: readonly string[],
  { jobs = 2, onLine = () => {} }: SluiceOptions = {},
): Promise<string[]> {
  const args = ['build', '--stdin', '--store', place.uri, `-j${jobs}`, '--no-fsync-store-paths'];
  using child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...place.env }, stdio: 'pipe' });
  const closed = once(child, 'close');
  child.stdin.end(drvPaths.join('\n'));
  const stdout = text(child.stdout);
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    onLine(line);
  }
  const [code] = await closed;
  assert.equal(code, 0, said.join('\n'));
  assert.deepEqual(lines(await stdout).sort(), await outputsOf(place, drvPaths));
  return said;
}

/** What stock Nix says of each output: that it is valid, and all that one can compare. */
export async function outputInfos(place: BuildPlace, drvPaths: readonly string[]): Promise<NixPathInfo[]> {
  const paths = await outputsOf(place, drvPaths);
  const infos = parsePathInfos(await output('nix', ['path-info', '--json', ...paths], { env: place.env }));
  assert.deepEqual(
    infos.map(({ path }) => path),
    paths,
  );
  assert.ok(infos.every(({ deriver }) => deriver !== undefined));
  return infos;
}

/** What `nix-store --verify --check-contents` complains of. */
export async function problems({ env }: BuildPlace): Promise<string[]> {
  return problemsOf(await run('nix-store', ['--verify', '--check-contents'], { env }));
}

async function outputsOf({ env }: BuildPlace, drvPaths: readonly string[]): Promise<string[]> {
  return lines(await output('nix-store', ['--query', '--outputs', ...drvPaths], { env })).sort();
}
