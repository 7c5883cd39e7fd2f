/** Derivations to build in tests: whole graphs of them, described in a few words. */
import type { Derivation, DerivationOutput, DraftDerivation } from '../../src/formats/derivation.ts';
import { printDerivation } from '../../src/formats/derivation.ts';
import { derivationPath, fillOutputs, hashDerivationModulo } from '../../src/formats/derivation-hash.ts';
import type { Hash } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, type StoreDir, type StorePath } from '../../src/formats/store-path.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';

export interface DerivationSpec {
  readonly name: string;
  /** What it needs: other derivations, and which of their outputs, `out` by default. */
  readonly inputs?: readonly (MadeDerivation | readonly [MadeDerivation, ...string[]])[];
  readonly sources?: readonly StorePath[];
  /** Names; `out` by default. */
  readonly outputs?: readonly string[];
  readonly fixed?: DerivationOutput['contentAddress'];
  readonly env?: Readonly<Record<string, string>>;
  readonly system?: string;
  readonly builder?: string;
  readonly args?: readonly string[];
  readonly storeDir?: StoreDir;
}

export interface MadeDerivation {
  readonly drvPath: StorePath;
  readonly derivation: Derivation;
  readonly hash: Hash;
  /** That of output `out`, or of the first. */
  readonly out: StorePath;
}

/** Makes a derivation with the right paths; nothing is written. */
export function makeDerivation(spec: DerivationSpec): MadeDerivation {
  const { name, inputs = [], sources = [], outputs = ['out'], env = {}, system = 'x86_64-linux' } = spec;
  const { args = [], storeDir = DEFAULT_STORE_DIR } = spec;
  const given = inputs.map((input) => ('drvPath' in input ? ([input, 'out'] as const) : input));
  const hashes = new Map(given.map(([made]) => [made.drvPath, made.hash]));
  const draft: DraftDerivation = {
    name,
    outputs: new Map(
      outputs.toSorted().map((each) => [each, spec.fixed === undefined ? {} : { contentAddress: spec.fixed }]),
    ),
    inputDrvs: new Map(
      given
        .map(([made, ...names]) => [made.drvPath, names.toSorted() as readonly string[]] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    inputSrcs: sources.toSorted(),
    system,
    builder: spec.builder ?? '/bin/sh',
    args,
    env: new Map(Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  const inputHash = (path: StorePath): Hash => hashes.get(path)!;
  const derivation = fillOutputs(storeDir, draft, inputHash);
  return {
    derivation,
    drvPath: derivationPath(storeDir, derivation),
    hash: hashDerivationModulo(storeDir, derivation, inputHash),
    out: (derivation.outputs.get('out') ?? [...derivation.outputs.values()][0]!).path,
  };
}

/** Makes derivations valid in a store; those that each needs come before it. */
export async function addDerivations(store: LocalStore, ...made: readonly MadeDerivation[]): Promise<void> {
  for (const { derivation, drvPath } of made) {
    const references = [...derivation.inputSrcs, ...derivation.inputDrvs.keys()];
    const text = printDerivation(store.storeDir, derivation);
    const { path } = await store.addTextToStore(`${derivation.name}.drv`, text, references);
    if (path !== drvPath) throw new Error(`unreachable: '${path}' is not '${drvPath}'`);
  }
}
