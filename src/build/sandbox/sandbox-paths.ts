/**
 * What builders see besides their inputs: setting `sandbox-paths`, what the derivation asks for, and what a pre-build
 * hook adds.
 *
 * Source: Nix 2.35 manual, "nix.conf", sandbox-paths; libstore/unix/build/derivation-builder.cc, getPathsInSandbox.
 */
import { isAbsolute, normalize } from 'node:path';
import { BuildError, UsageError } from '../../errors.ts';
import { parseWithin, printStorePath, type StorePath } from '../../formats/store-path.ts';
import type { LocalStore } from '../../stores/local-store.ts';

export interface SandboxPath {
  /** Where it is seen. */
  readonly inside: string;
  readonly outside: string;
  /** Whether it may be missing. */
  readonly optional: boolean;
}

/**
 * Reads `PATH` or `INSIDE=OUTSIDE`, each with `?` at its end where it may be missing.
 *
 * @throws {UsageError} on a path that is not absolute, or the root.
 */
export function parseSandboxPath(text: string): SandboxPath {
  const optional = text.endsWith('?');
  const spelled = optional ? text.slice(0, -1) : text;
  const separator = spelled.indexOf('=');
  const inside = separator < 0 ? spelled : spelled.slice(0, separator);
  const outside = separator < 0 ? spelled : spelled.slice(separator + 1);
  for (const path of [inside, outside]) {
    if (!isAbsolute(path) || normalize(path) === '/') {
      throw new UsageError(`sandbox path '${text}' is not a path below '/'`, { hint: 'see setting sandbox-paths' });
    }
  }
  return { inside: normalize(inside), outside: normalize(outside), optional };
}

/**
 * The paths of the host that a derivation asks for, where they are there.
 *
 * @param wanted - attribute `__impureHostDeps`.
 * @param allowed - setting `allowed-impure-host-deps`. Symlinks count as they are spelled: following them would tell
 *   about files that who wrote the derivation may not see.
 * @throws {BuildError} of status `inputRejected` on one that is not allowed.
 */
export function impureHostPaths(
  drvPath: string,
  wanted: readonly string[],
  allowed: readonly string[],
): readonly SandboxPath[] {
  const below = allowed.filter(isAbsolute).map((path) => `${withoutSlash(normalize(path))}/`);
  return wanted.map((path) => {
    const inside = withoutSlash(normalize(path));
    // The root itself is not among these: what is mounted there would hide the sandbox.
    if (isAbsolute(path) && inside !== '' && below.some((prefix) => `${inside}/`.startsWith(prefix))) {
      return { inside, outside: inside, optional: true };
    }
    throw new BuildError(
      `derivation '${drvPath}' asks for '${path}' of the host, which setting allowed-impure-host-deps does not allow`,
      {
        failure: { status: 'inputRejected' },
        hint: 'add the path to that setting if the builder may see it',
      },
    );
  });
}

function withoutSlash(path: string): string {
  return path.replace(/\/$/, '');
}

/**
 * Finds out what these paths bring along: of those in the store, their closures.
 *
 * @param outputs - of the derivation: these are made, and not seen as they are.
 * @returns where each really lies.
 */
export async function withClosures(
  paths: readonly SandboxPath[],
  store: LocalStore,
  outputs: ReadonlySet<StorePath>,
): Promise<SandboxPath[]> {
  const { storeDir } = store;
  const others = paths.filter(({ outside }) => !outside.startsWith(`${storeDir}/`));
  if (others.length === paths.length) return others;
  const within = paths
    .filter(({ outside }) => outside.startsWith(`${storeDir}/`))
    .map((each) => ({ ...each, ...parseWithin(storeDir, each.outside) }));
  const closure = await store.queryClosure(within.map(({ path }) => path));
  const seen = new Map<string, SandboxPath>();
  for (const path of closure.keys()) {
    if (outputs.has(path)) continue;
    seen.set(path, { inside: printStorePath(storeDir, path), outside: store.realPath(path), optional: false });
  }
  const named = within.map(({ inside, path, rest, optional }) => ({
    inside,
    outside: `${store.realPath(path)}${rest}`,
    optional,
  }));
  const inStore = (inside: string): boolean => inside.startsWith(`${storeDir}/`);
  return [...others, ...seen.values(), ...named.filter(({ inside }) => !inStore(inside))];
}
