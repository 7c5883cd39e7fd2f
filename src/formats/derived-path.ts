/**
 * Deriving paths, what a command is asked for: `PATH` as it is, or outputs of a derivation: `DRV^out,dev`, `DRV^*`, and
 * `DRV!out,dev`, as protocols spell it. A path may stand without the store directory.
 *
 * Source: Nix 2.35 manual, "Store derivation and deriving path"; libstore/derived-path.cc, outputs-spec.cc.
 */
import { FormatError } from '../errors.ts';
import { compareText } from './compare-text.ts';
import { isDerivationPath } from './derivation-hash.ts';
import { quote } from './quote.ts';
import {
  checkPathName,
  parseBaseName,
  parseStorePath,
  printStorePath,
  type StoreDir,
  type StorePath,
} from './store-path.ts';

/** Plain data: it survives structured clone. */
export type DerivedPath =
  /** A store path, to be made valid as it is. */
  | { readonly kind: 'opaque'; readonly path: StorePath }
  /** Outputs of the derivation at `path`: their names, sorted, or all of them. */
  | { readonly kind: 'built'; readonly path: StorePath; readonly outputs: 'all' | readonly string[] };

const FORMAT = 'derived path';
const ALL = '*';

/**
 * Reads a derived path.
 *
 * @throws {FormatError} on a path that is none, on outputs of what is no derivation, on a list of outputs that is empty
 *   or names one that no derivation has, and on outputs of outputs, which are not supported.
 */
export function parseDerivedPath(storeDir: StoreDir, text: string): DerivedPath {
  const mark = text.search(/[\^!]/);
  if (mark < 0) return { kind: 'opaque', path: parsePath(storeDir, text) };
  const path = parsePath(storeDir, text.slice(0, mark));
  if (!isDerivationPath(path)) {
    throw new FormatError(FORMAT, mark, `outputs of ${quote(text.slice(0, mark))}, which is no derivation`);
  }
  const start = mark + 1;
  const rest = text.slice(start);
  if (rest === ALL) return { kind: 'built', path, outputs: 'all' };
  let offset = start;
  const outputs = rest.split(',').map((name) => {
    const output = parseOutput(name, offset);
    offset += name.length + 1;
    return output;
  });
  return { kind: 'built', path, outputs: [...new Set(outputs)].sort(compareText) };
}

/** `PATH`, `DRV^out,dev` or `DRV^*`, with the store directory. */
export function printDerivedPath(storeDir: StoreDir, derived: DerivedPath): string {
  const path = printStorePath(storeDir, derived.path);
  if (derived.kind === 'opaque') return path;
  return `${path}^${derived.outputs === 'all' ? ALL : derived.outputs.join()}`;
}

/** As protocols have it: `PATH`, `DRV!out,dev` or `DRV!*`. */
export function printLegacyDerivedPath(storeDir: StoreDir, derived: DerivedPath): string {
  return printDerivedPath(storeDir, derived).replace('^', '!');
}

function parsePath(storeDir: StoreDir, text: string): StorePath {
  return text.startsWith('/') ? parseStorePath(storeDir, text) : parseBaseName(text);
}

function parseOutput(name: string, offset: number): string {
  if (/[\^!]/.test(name)) throw new FormatError(FORMAT, offset, 'outputs of outputs are not supported');
  if (name === '') throw new FormatError(FORMAT, offset, "the name of an output is empty, wanted one, or '*' for all");
  if (name === ALL) throw new FormatError(FORMAT, offset, "'*' stands for all outputs, and alone");
  try {
    checkPathName(name);
  } catch (cause) {
    throw new FormatError(FORMAT, offset, `no derivation has an output ${quote(name)}`, { cause });
  }
  return name;
}
