/**
 * The builders that are part of the program: those of derivations whose builder is `builtin:NAME`.
 *
 * Source: Nix 2.35 libstore/builtins/.
 */
import { asStoreError } from '../../stores/fs-errors.ts';
import type { Builtin } from './context.ts';

export type { Builtin, BuiltinContext } from './context.ts';

/**
 * By name. What they throw is a {@link BuildError}, or a {@link StoreError} where the file system refuses, or the reason
 * of the signal.
 */
export const BUILTINS: Readonly<Record<string, Builtin>> = {
  buildenv: loaded(async () => (await import('./buildenv.ts')).buildenv),
  fetchurl: loaded(async () => (await import('./fetchurl.ts')).fetchurl),
  'unpack-channel': loaded(async () => (await import('./unpack-channel.ts')).unpackChannel),
};

/** One that is loaded when it is first run. */
function loaded(load: () => Promise<Builtin>): Builtin {
  return async (context) => {
    const builtin = await load();
    try {
      await builtin(context);
    } catch (error) {
      context.signal.throwIfAborted();
      throw asStoreError(`${context.derivation.builder} cannot make '${context.derivation.name}'`, error);
    }
  };
}
