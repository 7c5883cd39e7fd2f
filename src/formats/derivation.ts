/** Derivations: what they are made of. */
import type { ContentAddress } from './content-address.ts';
import type { StorePath } from './store-path.ts';

/** A derivation whose inputs are store paths only. Plain data: it survives structured clone. */
export interface BasicDerivation {
  /** Such as `hello-2.12`, without `.drv`. */
  readonly name: string;
  /** By name, such as `out` or `dev`; sorted. */
  readonly outputs: ReadonlyMap<string, DerivationOutput>;
  /** Sorted. */
  readonly inputSrcs: readonly StorePath[];
  /** Where it can be built, such as `x86_64-linux`, or `builtin`. */
  readonly system: string;
  readonly builder: string;
  readonly args: readonly string[];
  /** Sorted by name. */
  readonly env: ReadonlyMap<string, string>;
}

export interface DerivationOutput {
  readonly path: StorePath;
  /** What a fixed output has to be. */
  readonly contentAddress?: ContentAddress | undefined;
}

export interface Derivation extends BasicDerivation {
  /** Which outputs of which derivations are inputs, too; sorted. */
  readonly inputDrvs: ReadonlyMap<StorePath, readonly string[]>;
}
