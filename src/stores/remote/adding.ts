/** What adding to a store elsewhere has in common, whatever the protocol. */
import { InvalidPathError, SluiceError } from '../../errors.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import { printStorePath } from '../../formats/store-path.ts';
import type { AddOptions, ObjectSource, RemoteStore } from '../remote-store.ts';
import type { NarSource } from '../store.ts';
import { verifyNar } from '../verify-nar.ts';

/** One object, unless it is there already. @throws {InvalidPathError} where one of its references is not. */
export async function addOne(store: RemoteStore, object: ObjectSource, options: AddOptions): Promise<void> {
  const { path, references } = object.info;
  const print = (each: typeof path): string => printStorePath(store.storeDir, each);
  const valid = await store.queryValidPaths([...new Set([path, ...references])], options);
  if (valid.has(path)) return;
  const missing = references.find((reference) => reference !== path && !valid.has(reference));
  if (missing !== undefined) {
    throw new InvalidPathError(print(missing), store.uri, { hint: `add it first: '${print(path)}' refers to it` });
  }
  await store.addMultipleToStore([object], options);
}

/** The NAR of an object, checked while it passes. @throws the reason of the signal. */
export function checkedNar(store: RemoteStore, { info, nar }: ObjectSource, { signal }: AddOptions): NarSource {
  const verified = verifyNar(store.storeDir, info, nar);
  return (sink) =>
    verified((chunk) => {
      signal?.throwIfAborted();
      return sink(chunk);
    });
}

/** Why a NAR could not be had: that the path is not valid, where that turns out; otherwise the error itself. */
export async function explainMissingNar(
  store: RemoteStore,
  { path }: PathInfo,
  error: unknown,
  options: AddOptions,
): Promise<unknown> {
  if (options.signal?.aborted || !(error instanceof SluiceError) || error.code === 'ERR_TIMED_OUT') return error;
  const valid = await store.queryValidPaths([path], options).catch(() => undefined);
  if (valid?.has(path) !== false) return error;
  return new InvalidPathError(printStorePath(store.storeDir, path), store.uri, { cause: error });
}
