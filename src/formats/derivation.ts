/**
 * Derivations: what is built, from what and how; and the text of a `.drv` file:
 * `Derive([OUTPUT,…],[INPUT,…],[SOURCE,…],SYSTEM,BUILDER,[ARGUMENT,…],[VARIABLE,…])`.
 *
 * Source: Nix 2.35 manual, "Derivation ATerm format"; libstore/derivations.cc.
 */
import { FormatError } from '../errors.ts';
import { AtermReader, printAtermString } from './aterm.ts';
import { compareText } from './compare-text.ts';
import { type ContentAddress, parseContentAddress, printContentAddressMethod } from './content-address.ts';
import { printDigest } from './hash.ts';
import { quote } from './quote.ts';
import { checkPathName, parseStorePath, printStorePath, type StoreDir, type StorePath } from './store-path.ts';

/** An output whose path is known before it is built. Plain data, as everything here: it survives structured clone. */
export interface DerivationOutput {
  /** As the derivation says it; `checkOutputs` finds out whether it is the right one. */
  readonly path: StorePath;
  /** Of a fixed output: what its contents must be. */
  readonly contentAddress?: ContentAddress | undefined;
}

/** All that a builder needs once the inputs are there. */
export interface BasicDerivation {
  /** Of the derivation's own path, without `.drv`: `hello-2.12`. */
  readonly name: string;
  /** By name, such as `out`; sorted. */
  readonly outputs: ReadonlyMap<string, DerivationOutput>;
  /** Paths that are no outputs of derivations; sorted. */
  readonly inputSrcs: readonly StorePath[];
  /** The platform, such as `x86_64-linux`. */
  readonly system: string;
  /** The program that is run: an absolute path, or `builtin:NAME`. */
  readonly builder: string;
  readonly args: readonly string[];
  /** By name; sorted. */
  readonly env: ReadonlyMap<string, string>;
}

export interface Derivation extends BasicDerivation {
  /** The names of the outputs that are needed, by the derivation; both sorted. */
  readonly inputDrvs: ReadonlyMap<StorePath, readonly string[]>;
}

/** A derivation before all paths of its outputs are known. */
export interface DraftDerivation extends Omit<Derivation, 'outputs'> {
  readonly outputs: ReadonlyMap<string, Partial<DerivationOutput>>;
}

/** Names of outputs, sorted, by what stands for an input derivation; in the order in which they are printed. */
export type PrintedInputs = Iterable<readonly [input: string, outputs: readonly string[]]>;

const FORMAT = 'derivation';
const DYNAMIC = 'dynamic derivations are not supported';

/**
 * Reads the text of a `.drv` file. Lists may be in any order, and are sorted.
 *
 * @param name - of its path, without `.drv`.
 * @throws {FormatError} on what is no derivation, says the same thing twice, is not UTF-8 or goes on after its end; on
 *   outputs whose paths are not known beforehand, and on dynamic derivations, which are not supported.
 */
export function parseDerivation(storeDir: StoreDir, name: string, bytes: Uint8Array): Derivation {
  const reader = new AtermReader(FORMAT, decodeText(bytes), 'utf8');
  if (reader.accepts('DrvWithVersion(')) {
    const start = reader.position;
    const version = reader.string();
    throw reader.broken(version === 'xp-dyn-drv' ? DYNAMIC : `unknown version ${quote(version)}`, start);
  }
  reader.expect('Derive(');
  const outputs = parseMap(reader, 'output', () => parseOutput(storeDir, reader));
  reader.expect(',');
  const inputDrvs = parseMap(reader, 'input derivation', () => parseInput(storeDir, reader));
  reader.expect(',');
  const inputSrcs = parseSorted(reader, 'input source', () => parsePath(storeDir, reader));
  reader.expect(',');
  const system = parsePlain(reader);
  reader.expect(',');
  const builder = reader.string();
  reader.expect(',');
  const args = reader.strings();
  reader.expect(',');
  const env = parseMap(reader, 'variable', () => parseVariable(reader));
  reader.expect(')');
  reader.expectEnd();
  return { name, outputs, inputDrvs, inputSrcs, system, builder, args, env };
}

/** The text of the `.drv` file: what Nix prints, byte for byte; in UTF-8. */
export function printDerivation(storeDir: StoreDir, derivation: Derivation): string {
  const inputs = Array.from(derivation.inputDrvs, ([path, names]) => [printStorePath(storeDir, path), names] as const);
  return printWithInputs(storeDir, derivation, inputs);
}

/** The text with other names for the input derivations, from which the hash of a derivation is computed. */
export function printWithInputs(storeDir: StoreDir, derivation: Derivation, inputs: PrintedInputs): string {
  return print(storeDir, derivation, inputs, ({ path }) => printStorePath(storeDir, path!), derivation.env);
}

/**
 * The same text with empty paths of outputs and empty variables of the same names, from which the paths of the outputs
 * are computed.
 */
export function printMasked(storeDir: StoreDir, derivation: DraftDerivation, inputs: PrintedInputs): string {
  const env = Array.from(derivation.env, ([name, value]) => [name, derivation.outputs.has(name) ? '' : value] as const);
  return print(storeDir, derivation, inputs, () => '', env);
}

function print(
  storeDir: StoreDir,
  derivation: DraftDerivation,
  inputs: PrintedInputs,
  printOutputPath: (output: Partial<DerivationOutput>) => string,
  env: Iterable<readonly [name: string, value: string]>,
): string {
  const outputs = Array.from(derivation.outputs, ([name, output]) => {
    const { contentAddress } = output;
    const method = contentAddress === undefined ? '' : printContentAddressMethod(contentAddress);
    const digits = contentAddress === undefined ? '' : printDigest(contentAddress.hash, 'base16');
    return `("${name}","${printOutputPath(output)}","${method}","${digits}")`;
  });
  const fields = [
    `[${outputs.join()}]`,
    `[${Array.from(inputs, ([input, names]) => `("${input}",${printPlainList(names)})`).join()}]`,
    printPlainList(derivation.inputSrcs.map((path) => printStorePath(storeDir, path))),
    `"${derivation.system}"`,
    printAtermString(derivation.builder),
    `[${derivation.args.map(printAtermString).join()}]`,
    `[${Array.from(env, ([name, value]) => `(${printAtermString(name)},${printAtermString(value)})`).join()}]`,
  ];
  return `Derive(${fields.join()})`;
}

function printPlainList(texts: readonly string[]): string {
  return `[${texts.map((text) => `"${text}"`).join()}]`;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(FORMAT, firstInvalidByte(bytes), 'the text is not UTF-8', { cause });
  }
}

/** Where text that is not UTF-8 stops being so. */
function firstInvalidByte(bytes: Uint8Array): number {
  // What a decoder of a stream keeps back is the start of a character, so that what it gives out is the valid part.
  let valid = 0;
  let low = 0;
  let high = bytes.length + 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    try {
      valid = Buffer.byteLength(decoder.decode(bytes.subarray(0, middle), { stream: true }));
      low = middle;
    } catch {
      high = middle;
    }
  }
  return valid;
}

function parseOutput(storeDir: StoreDir, reader: AtermReader): [string, DerivationOutput] {
  reader.expect('(');
  const name = parseOutputName(reader);
  reader.expect(',');
  const start = reader.position;
  const path = reader.string();
  reader.expect(',');
  const method = parsePlain(reader);
  reader.expect(',');
  const digits = parsePlain(reader);
  reader.expect(')');
  if (path === '' || digits === 'impure') {
    const kind = digits === 'impure' ? 'impure' : method === '' ? 'deferred' : 'floating content-addressed';
    throw reader.broken(`output ${quote(name)} is ${kind}, which is not supported`, start);
  }
  return inPlace(reader, start, () => {
    const parsed = parseStorePath(storeDir, path);
    if (method === '' && digits === '') return [name, { path: parsed }];
    const prefix = method.startsWith('text:') ? '' : 'fixed:';
    return [name, { path: parsed, contentAddress: parseContentAddress(`${prefix}${method}:${digits}`) }];
  });
}

function parseInput(storeDir: StoreDir, reader: AtermReader): [StorePath, readonly string[]] {
  reader.expect('(');
  const path = parsePath(storeDir, reader);
  reader.expect(',');
  const start = reader.position;
  if (reader.accepts('(')) throw reader.broken(DYNAMIC, start);
  const names = parseSorted(reader, 'output of an input derivation', () => parseOutputName(reader));
  reader.expect(')');
  return [path, names];
}

function parseVariable(reader: AtermReader): [string, string] {
  reader.expect('(');
  const name = reader.string();
  reader.expect(',');
  const value = reader.string();
  reader.expect(')');
  return [name, value];
}

function parsePath(storeDir: StoreDir, reader: AtermReader): StorePath {
  const start = reader.position;
  const path = reader.string();
  return inPlace(reader, start, () => parseStorePath(storeDir, path));
}

/** The name of an output becomes part of a store path's name, and is printed without escapes. */
function parseOutputName(reader: AtermReader): string {
  const start = reader.position;
  const name = reader.string();
  inPlace(reader, start, () => checkPathName(name));
  return name;
}

/** Nix prints these strings without escapes, so that one which needs some could not be read back. */
function parsePlain(reader: AtermReader): string {
  const start = reader.position;
  const text = reader.string();
  if (/["\\]/.test(text)) throw reader.broken(`${quote(text)} has a quote or backslash, which is printed as is`, start);
  return text;
}

/** Says where in the derivation something of another format is wrong. */
function inPlace<T>(reader: AtermReader, start: number, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw reader.broken(cause.message, start, cause);
  }
}

/** @param what - the elements are, for errors. */
function parseMap<K extends string, V>(
  reader: AtermReader,
  what: string,
  parse: () => [key: K, value: V],
): ReadonlyMap<K, V> {
  return new Map(parseList(reader, what, parse, ([key]) => key));
}

function parseSorted<T extends string>(reader: AtermReader, what: string, parse: () => T): readonly T[] {
  return parseList(reader, what, parse, (text) => text);
}

function parseList<T>(reader: AtermReader, what: string, parse: () => T, keyOf: (element: T) => string): T[] {
  const elements: T[] = [];
  const seen = new Set<string>();
  reader.list(() => {
    const start = reader.position;
    const element = parse();
    const key = keyOf(element);
    if (seen.has(key)) throw reader.broken(`${what} ${quote(key)} is there twice`, start);
    seen.add(key);
    elements.push(element);
  });
  // Nearly always sorted already, which a sort finds out in one pass.
  return elements.sort((a, b) => compareText(keyOf(a), keyOf(b)));
}
