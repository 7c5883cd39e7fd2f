/** What commands ask of stores about many paths: of a local store set by set, of any other path by path. */
import { InvalidPathError, UsageError } from '../../errors.ts';
import { isDerivationPath } from '../../formats/derivation-hash.ts';
import { quote } from '../../formats/quote.ts';
import type { PathInfos } from '../../formats/references-first.ts';
import { parseStorePath, pathName, printStorePath, type StorePath } from '../../formats/store-path.ts';
import { readDerivationOutputs } from '../../stores/derivation-file.ts';
import type { LocalStore } from '../../stores/local-store.ts';
import type { Store } from '../../stores/store.ts';
import { queryClosure } from '../closure.ts';

/** What is known of valid paths; all of `paths` must be. */
export async function infosOf(store: Store, paths: readonly StorePath[]): Promise<PathInfos> {
  const infos = await knownOf(store, paths);
  requireAll(store, paths, infos);
  return infos;
}

/** What is known of those of `paths` that are valid. */
export async function knownOf(store: Store, paths: Iterable<StorePath>): Promise<PathInfos> {
  return isLocal(store)
    ? await store.queryPathInfos(paths)
    : await queryClosure(store, [...paths], { recursive: false });
}

/**
 * What is known of the closures of `paths`.
 *
 * @throws {InvalidPathError} on a path that is not valid, and on a hole in a closure.
 */
export async function closureInfosOf(store: Store, paths: readonly StorePath[]): Promise<PathInfos> {
  const infos = isLocal(store)
    ? await store.queryClosure(paths)
    : await queryClosure(store, paths, { recursive: true });
  requireAll(store, paths, infos);
  for (const { references } of infos.values()) requireAll(store, references, infos);
  return infos;
}

/** @throws {InvalidPathError} where there is a path of which nothing is known. */
export function requireAll(store: Store, paths: Iterable<StorePath>, infos: PathInfos): void {
  for (const path of paths) {
    if (!infos.has(path)) throw new InvalidPathError(printStorePath(store.storeDir, path), store.uri);
  }
}

/** @throws {UsageError} on a store that is not local, and cannot answer `question`. */
export function localOnly(store: Store, question: string): LocalStore {
  if (isLocal(store)) return store;
  throw new UsageError(`'${question}' can only be asked of a local store, not of '${store.uri}'`);
}

/** Whether a store can be asked about sets. */
export function isLocal(store: Store): store is LocalStore {
  return 'queryTotals' in store;
}

/**
 * The outputs of a derivation, sorted by path; what is no derivation stands for itself.
 *
 * @throws {UsageError} on an output whose path is not known before it is built.
 */
export async function outputsOf(store: Store, path: StorePath): Promise<StorePath[]> {
  if (!pathName(path).endsWith('.drv')) return [path];
  const local = localOnly(store, 'outputs');
  await infosOf(local, [path]);
  const outputs = readDerivationOutputs(local.realPath(path)).map(({ name, path: output }) => {
    if (output !== undefined) return parseStorePath(store.storeDir, output);
    const shown = printStorePath(store.storeDir, path);
    throw new UsageError(`the path of output '${name}' of '${shown}' is only known once it is built`);
  });
  return outputs.sort();
}

/**
 * The derivation that a path stands for: itself, or the one that made it.
 *
 * @throws {UsageError} on a path of which nobody knows what made it.
 */
export async function derivationOf(store: LocalStore, path: StorePath): Promise<StorePath> {
  if (isDerivationPath(path)) return path;
  const infos = await infosOf(store, [path]);
  const { deriver } = infos.get(path)!;
  if (deriver !== undefined) return deriver;
  throw new UsageError(`'${printStorePath(store.storeDir, path)}' is no derivation, and nobody knows what made it`);
}

/**
 * The value of a variable of a derivation.
 *
 * @throws {UsageError} on one that it does not have.
 */
export async function bindingOf(store: LocalStore, path: StorePath, name: string): Promise<string> {
  const derivation = await derivationOf(store, path);
  const value = (await store.readDerivation(derivation)).env.get(name);
  if (value !== undefined) return value;
  throw new UsageError(`derivation '${printStorePath(store.storeDir, derivation)}' has no variable ${quote(name)}`);
}
