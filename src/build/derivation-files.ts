/**
 * What a derivation wants its builder to find in the build directory, and the variables that say where: values of
 * `passAsFile`, structured attributes, and the graphs of `exportReferencesGraph`.
 *
 * Source: Nix 2.35 manual, "Advanced Attributes"; libstore/build/derivation-env-desugar.cc.
 */
import { join } from 'node:path';
import type { BasicDerivation } from '../formats/derivation.ts';
import type { DerivationOptions } from '../formats/derivation-options.ts';
import { hashBytes } from '../formats/hash.ts';
import { encodeNix32 } from '../formats/nix32.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { printAttrsJson, printAttrsShell, withOutputsAndGraphs } from './structured-attrs.ts';

/** Closures, sorted by path, by their names in `exportReferencesGraph`. */
export type Graphs = Readonly<Record<string, readonly PathInfo[]>>;

export interface DerivationFiles {
  readonly variables: ReadonlyMap<string, string>;
  /** Contents, by the name in the build directory. */
  readonly files: ReadonlyMap<string, string>;
}

/** @param buildDir - as the builder sees it. */
export function makeDerivationFiles(
  storeDir: StoreDir,
  derivation: BasicDerivation,
  options: DerivationOptions,
  graphs: Graphs,
  buildDir: string,
): DerivationFiles {
  if (options.structuredAttrs !== undefined) {
    const attributes = withOutputsAndGraphs(storeDir, derivation, graphs);
    return {
      variables: new Map([
        ['NIX_ATTRS_SH_FILE', join(buildDir, '.attrs.sh')],
        ['NIX_ATTRS_JSON_FILE', join(buildDir, '.attrs.json')],
      ]),
      files: new Map([
        ['.attrs.sh', printAttrsShell(attributes)],
        ['.attrs.json', printAttrsJson(attributes)],
      ]),
    };
  }
  const variables = new Map<string, string>();
  const files = new Map<string, string>();
  const asFile = new Set(options.passAsFile);
  for (const [name, value] of derivation.env) {
    if (asFile.has(name)) {
      const file = `.attr-${encodeNix32(hashBytes('sha256', name).digest)}`;
      variables.set(`${name}Path`, join(buildDir, file));
      files.set(file, value);
    } else {
      variables.set(name, value);
    }
  }
  for (const name of options.exportReferencesGraph.keys()) files.set(name, printGraph(storeDir, graphs[name] ?? []));
  return { variables, files };
}

/** The text that says which paths are valid, without hashes, sizes and derivers: what would differ between machines. */
function printGraph(storeDir: StoreDir, infos: readonly PathInfo[]): string {
  const print = (path: StorePath): string => printStorePath(storeDir, path);
  const lines = infos.flatMap(({ path, references }) => [print(path), '', references.length, ...references.map(print)]);
  return lines.map((line) => `${line}\n`).join('');
}
