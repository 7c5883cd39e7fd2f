/** The parameters in a store's URI: which there are, and what their values mean. */
import { UsageError } from '../errors.ts';
import { DEFAULT_STORE_DIR, parseStoreDir, type StoreDir } from '../formats/store-path.ts';
import { printStoreReference, type StoreReference, withoutCredentials } from '../formats/store-reference.ts';

export type Params = StoreReference['params'];

/**
 * Accepts parameters that are among `known`.
 *
 * @throws {UsageError} that lists what is known.
 */
export function checkParams(reference: StoreReference, known: readonly string[]): void {
  const unknown = Object.keys(reference.params).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new UsageError(`store '${withoutCredentials(printStoreReference(reference))}' has no parameter '${unknown}'`, {
    hint: `known: ${known.join(', ')}`,
  });
}

/** Parameter `store`, or Nix's store directory where it is missing. */
export function storeDirParam({ store }: Params): StoreDir {
  return store === undefined ? DEFAULT_STORE_DIR : parseStoreDir(store);
}

/** @throws {UsageError} on anything but digits. */
export function integerParam(params: Params, name: string): number | undefined {
  const text = params[name];
  if (text === undefined) return undefined;
  if (!/^-?\d{1,9}$/.test(text)) throw new UsageError(`store parameter '${name}' wants a whole number, got '${text}'`);
  return Number(text);
}

/** @throws {UsageError} on anything but Nix's words for yes and no. */
export function booleanParam(params: Params, name: string): boolean | undefined {
  const text = params[name];
  if (text === undefined) return undefined;
  if (['true', 'yes', '1'].includes(text)) return true;
  if (['false', 'no', '0'].includes(text)) return false;
  throw new UsageError(`store parameter '${name}' wants true or false, got '${text}'`);
}
