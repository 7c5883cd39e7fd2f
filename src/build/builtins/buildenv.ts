/**
 * `builtin:buildenv`, which merges packages into one tree of symlinks: a user environment.
 *
 * The tree is made in memory, and written when all packages are in it.
 *
 * Source: Nix 2.35 libstore/builtins/buildenv.cc.
 */
import { mkdirSync, symlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { bytePath, fsPath } from '../../stores/optimise/byte-path.ts';
import { type BuiltinContext, builtinFailure, outputLocation, variable } from './context.ts';
import { LinkTree } from './link-tree.ts';
import { StoreFiles } from './store-files.ts';

interface Package {
  readonly path: string;
  readonly isActive: boolean;
  /** The lowest number wins. */
  readonly priority: number;
}

/** Of packages that others want beside them: more with each. */
const FIRST_PROPAGATED = 1000;
const PROPAGATED = 'nix-support/propagated-user-env-packages';

export async function buildenv(context: BuiltinContext): Promise<void> {
  const out = outputLocation(context);
  const packages = parsePackages(variable(context, 'derivations'), context.derivation.name);
  const manifest = variable(context, 'manifest');
  const storeDir = storeDirOf(context);
  const files = new StoreFiles(storeDir, (path) => context.realPath(path));
  const tree = new LinkTree(files, (message) => context.log(`warning: ${message}`), bytePath(out));

  const done = new Set<string>();
  let propagated = new Set<string>();
  const add = async (path: string, priority: number): Promise<void> => {
    if (done.has(path)) return;
    done.add(path);
    tree.add(path, priority);
    for (const other of words(files.read(`${path}/${PROPAGATED}`) ?? '')) propagated.add(other);
    await setImmediate();
    context.signal.throwIfAborted();
  };
  for (const { path, isActive, priority } of packages) if (isActive) await add(path, priority);
  for (let priority = FIRST_PROPAGATED; propagated.size > 0; ) {
    const paths = [...propagated.difference(done)].sort();
    propagated = new Set();
    for (const path of paths) await add(path, priority++);
  }

  tree.link('manifest.nix', bytePath(manifest));
  await write(tree, out, context.signal);
}

/** The store directory is that of the output, whose path is in the derivation. */
function storeDirOf({ derivation, env }: BuiltinContext): string {
  const out = env.get('out');
  if (out === undefined) throw builtinFailure(`'${derivation.builder}' requires an 'out' output`);
  return posix.dirname(out);
}

/** Reads `ACTIVE PRIORITY COUNT PATH…`, again and again; in the order in which packages are added. */
function parsePackages(text: string, name: string): Package[] {
  const list = words(bytePath(text));
  const packages: Package[] = [];
  for (let index = 0; index < list.length; ) {
    const [active, priority, count] = [list[index], Number(list[index + 1]), Number(list[index + 2])];
    const paths = list.slice(index + 3, index + 3 + count);
    if (!Number.isSafeInteger(priority) || !Number.isSafeInteger(count) || count < 0 || paths.length < count) {
      throw builtinFailure(`builtin:buildenv of '${name}': attribute 'derivations' is broken at word ${index + 1}`);
    }
    packages.push(...paths.map((path) => ({ path, isActive: active !== 'false', priority })));
    index += 3 + count;
  }
  return packages.sort((a, b) => a.priority - b.priority || (a.path < b.path ? -1 : 1));
}

function words(text: string): string[] {
  return text.split(/[ \t\n\r]+/).filter((word) => word !== '');
}

async function write(tree: LinkTree, out: string, signal: AbortSignal): Promise<void> {
  let count = 0;
  for (const { path, target } of tree.entries()) {
    const name = fsPath(path === '' ? bytePath(out) : `${bytePath(out)}/${path}`);
    if (target === undefined) mkdirSync(name, { recursive: path === '' });
    else symlinkSync(fsPath(target), name);
    if (++count % 1000 !== 0) continue;
    await setImmediate();
    signal.throwIfAborted();
  }
}
