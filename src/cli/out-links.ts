/**
 * The symlinks of `--out-link`: each leads to an output, and keeps it from being collected for as long as it is there.
 *
 * Source: Nix 2.35 nix/build.cc, createOutLinks.
 */
import type { StorePath } from '../formats/store-path.ts';

/** What was asked for, as far as names of symlinks depend on it. */
export interface LinkedOutputs {
  /** By the names of outputs; of a plain path there is one, called `out`. */
  readonly outputs: ReadonlyMap<string, StorePath>;
}

/**
 * Which symlink leads where: `result`, `result-dev` for another output, `result-1` for the second request.
 *
 * @param prefix - the file name that the user has given.
 */
export function outLinks(prefix: string, results: readonly LinkedOutputs[]): ReadonlyMap<string, StorePath> {
  const links = new Map<string, StorePath>();
  for (const [index, { outputs }] of results.entries()) {
    const base = index === 0 ? prefix : `${prefix}-${index}`;
    for (const [name, path] of outputs) links.set(name === 'out' ? base : `${base}-${name}`, path);
  }
  return links;
}
