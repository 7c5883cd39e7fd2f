/**
 * The hash of a derivation, and the paths of outputs that follow from it. In the hash each input derivation is replaced
 * by its own hash, and of a fixed output only its contents count: how they are fetched may change.
 *
 * Where two inputs have the same hash, the outputs of both count, as in Nix 2.4 to 2.34; in 2.35 only those of the one
 * that comes last. It takes two derivations that differ in nothing but how they fetch their inputs.
 *
 * Source: Nix 2.35 manual, "Store derivation and deriving path"; libstore/derivations.cc, hashDerivationModulo.
 */
import { StoreError } from '../errors.ts';
import { compareText } from './compare-text.ts';
import { contentAddressedPath, printContentAddressMethod } from './content-address.ts';
import {
  type Derivation,
  type DerivationOutput,
  type DraftDerivation,
  type PrintedInputs,
  printDerivation,
  printMasked,
  printWithInputs,
} from './derivation.ts';
import { type Hash, hashBytes, printDigest } from './hash.ts';
import { quote } from './quote.ts';
import { makeOutputPath, makeTextPath, pathName, printStorePath, type StoreDir, type StorePath } from './store-path.ts';

/** The {@link hashDerivationModulo} of an input derivation. */
export type InputHash = (derivation: StorePath) => Hash;

const EXTENSION = '.drv';

/** The name of a derivation, from its path: without `.drv`. */
export function derivationName(drvPath: StorePath): string {
  return pathName(drvPath).slice(0, -EXTENSION.length);
}

/** Whether a path is one of a derivation. */
export function isDerivationPath(path: StorePath): boolean {
  return path.endsWith(EXTENSION);
}

/** The path of the `.drv` file. */
export function derivationPath(storeDir: StoreDir, derivation: Derivation): StorePath {
  const references = [...derivation.inputSrcs, ...derivation.inputDrvs.keys()];
  const hash = hashBytes('sha256', printDerivation(storeDir, derivation));
  return makeTextPath(storeDir, derivation.name + EXTENSION, hash, [...new Set(references)]);
}

/** Whether the one output of a derivation is fixed; then nothing of the derivation counts but that output. */
export function isFixed({ outputs }: DraftDerivation): boolean {
  const [output] = outputs.values();
  return output?.contentAddress !== undefined;
}

/**
 * What stands for a derivation in the hash of those that need it.
 *
 * @param inputHash - not called for a fixed output.
 */
export function hashDerivationModulo(storeDir: StoreDir, derivation: Derivation, inputHash: InputHash): Hash {
  const [output] = derivation.outputs.values();
  if (output?.contentAddress !== undefined) {
    const method = printContentAddressMethod(output.contentAddress);
    const digits = printDigest(output.contentAddress.hash, 'base16');
    return hashBytes('sha256', `fixed:out:${method}:${digits}:${printStorePath(storeDir, output.path)}`);
  }
  return hashBytes('sha256', printWithInputs(storeDir, derivation, hashedInputs(derivation, inputHash)));
}

/**
 * The paths that the outputs of a derivation have, in the order of its outputs.
 *
 * @param inputHash - not called for a fixed output.
 * @throws {StoreError} on outputs that no derivation has: none, several fixed ones, or fixed ones beside others.
 */
export function makeOutputPaths(
  storeDir: StoreDir,
  derivation: DraftDerivation,
  inputHash: InputHash,
): ReadonlyMap<string, StorePath> {
  checkKinds(derivation);
  const { name, outputs } = derivation;
  const [fixed] = outputs.values();
  if (fixed?.contentAddress !== undefined) {
    return new Map([['out', contentAddressedPath(storeDir, name, fixed.contentAddress, [])]]);
  }
  const hash = hashBytes('sha256', printMasked(storeDir, derivation, hashedInputs(derivation, inputHash)));
  return new Map(Array.from(outputs.keys(), (output) => [output, makeOutputPath(storeDir, output, hash, name)]));
}

/**
 * Fills in the paths of outputs that are not known yet, and the variables of the same names where they are missing or
 * empty; the others must be right.
 *
 * The paths depend on which variables there are, so that missing ones are added first. Nix 2.35 adds them afterwards,
 * and then refuses to register what it has made.
 *
 * @throws {StoreError} as {@link checkOutputs} does.
 */
export function fillOutputs(storeDir: StoreDir, draft: DraftDerivation, inputHash: InputHash): Derivation {
  const missing = [...draft.outputs.keys()].filter((name) => !draft.env.has(name));
  const sorted = [...draft.env, ...missing.map((name) => [name, ''] as const)].sort(([a], [b]) => compareText(a, b));
  const paths = makeOutputPaths(storeDir, { ...draft, env: new Map(sorted) }, inputHash);
  const outputs = new Map<string, DerivationOutput>();
  for (const [name, path] of paths) outputs.set(name, { path, ...draft.outputs.get(name) });
  const env = new Map<string, string>();
  for (const [name, value] of sorted) {
    const path = value === '' ? paths.get(name) : undefined;
    env.set(name, path === undefined ? value : printStorePath(storeDir, path));
  }
  const derivation = { ...draft, outputs, env };
  comparePaths(storeDir, derivation, paths, quote(derivation.name));
  return derivation;
}

/**
 * Accepts a derivation whose outputs have the paths that follow from it, and whose variables say so to the builder.
 * Whoever registers one whose outputs are wrong could have them taken for those of another.
 *
 * @throws {StoreError} on another name, on a wrong output or variable, and as {@link makeOutputPaths} does.
 */
export function checkOutputs(
  storeDir: StoreDir,
  drvPath: StorePath,
  derivation: Derivation,
  inputHash: InputHash,
): void {
  const shown = quote(printStorePath(storeDir, drvPath));
  const name = derivationName(drvPath);
  if (derivation.name !== name) {
    throw new StoreError(`derivation ${shown}: wrong name, wanted ${quote(name)}, got ${quote(derivation.name)}`);
  }
  comparePaths(storeDir, derivation, makeOutputPaths(storeDir, derivation, inputHash), shown);
}

/**
 * Accepts a derivation that is at the path which follows from its text.
 *
 * @throws {StoreError} on another path.
 */
export function checkDerivationPath(storeDir: StoreDir, drvPath: StorePath, derivation: Derivation): void {
  const wanted = derivationPath(storeDir, derivation);
  if (wanted === drvPath) return;
  const [got, right] = [drvPath, wanted].map((path) => quote(printStorePath(storeDir, path)));
  throw new StoreError(`derivation ${got}: wrong path for its text, wanted ${right}`);
}

function comparePaths(
  storeDir: StoreDir,
  { outputs, env }: Derivation,
  paths: ReadonlyMap<string, StorePath>,
  shown: string,
): void {
  for (const [name, path] of paths) {
    const wanted = printStorePath(storeDir, path);
    const got = printStorePath(storeDir, outputs.get(name)!.path);
    if (got !== wanted) {
      throw new StoreError(`derivation ${shown}: wrong output '${name}', wanted '${wanted}', got '${got}'`);
    }
    const value = env.get(name);
    if (value === wanted) continue;
    const given = value === undefined ? 'none' : quote(value);
    throw new StoreError(`derivation ${shown}: wrong variable '${name}', wanted '${wanted}', got ${given}`);
  }
}

function checkKinds({ name, outputs }: DraftDerivation): void {
  const problem = (what: string): StoreError => new StoreError(`derivation ${quote(name)}: ${what}`);
  if (outputs.size === 0) throw problem('it has no outputs');
  const fixed = [...outputs.values()].filter(({ contentAddress }) => contentAddress !== undefined).length;
  if (fixed === 0) return;
  if (fixed < outputs.size) throw problem('some of its outputs are fixed and others are not');
  if (fixed > 1) throw problem('more than one of its outputs is fixed');
  if (!outputs.has('out')) throw problem(`its fixed output is called '${[...outputs.keys()][0]}', wanted 'out'`);
}

function hashedInputs({ inputDrvs }: DraftDerivation, inputHash: InputHash): PrintedInputs {
  const inputs = new Map<string, readonly string[]>();
  for (const [path, outputs] of inputDrvs) {
    const digits = printDigest(inputHash(path), 'base16');
    const others = inputs.get(digits);
    inputs.set(digits, others === undefined ? outputs : [...new Set([...others, ...outputs])].sort(compareText));
  }
  return [...inputs].sort(([a], [b]) => (a < b ? -1 : 1));
}
