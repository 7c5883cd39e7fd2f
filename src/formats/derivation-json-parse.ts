/**
 * Reads one derivation from JSON: in the form of version 4, or in those without a version, which Nix had up to 2.31. A
 * derivation may stand alone, or inside what a command printed of one.
 *
 * Source: Nix 2.35 manual, "Derivation JSON Format"; libstore/derivations.cc. Nix 2.8 nix/show-derivation.cc.
 */
import { FormatError } from '../errors.ts';
import { compareText } from './compare-text.ts';
import { type ContentAddress, parseContentAddress } from './content-address.ts';
import type { DerivationOutput, DraftDerivation } from './derivation.ts';
import { derivationName, isDerivationPath } from './derivation-hash.ts';
import { parseHash } from './hash.ts';
import { asObject, asString, asStrings, isList, type Json, type JsonObject, parseJson, property } from './json.ts';
import { type PrintableJson, parsePrintableJson, printJson } from './json-print.ts';
import { quote } from './quote.ts';
import { checkPathName, parseBaseName, parseStorePath, type StoreDir, type StorePath } from './store-path.ts';
import { STRUCTURED_ATTRS_VARIABLE } from './structured-attrs.ts';

const FORMAT = 'derivation JSON';
const VERSION = 4;
const METHODS = ['flat', 'nar', 'text', 'git'] as const;

/**
 * Reads a derivation.
 *
 * @returns with outputs as far as they are said: the path of a fixed one is never, that of another may be left open.
 * @throws {FormatError} on what is no derivation, on an unknown version, and on outputs and inputs that are not
 *   supported: floating, impure, dynamic.
 */
export function parseDerivationJson(storeDir: StoreDir, text: string): DraftDerivation {
  const { derivation, keys } = unwrap(asObject(parseJson(FORMAT, text), FORMAT, 'the text'));
  const version = property(derivation, 'version');
  if (version === undefined) return parseOldForm(storeDir, derivation, keys.at(-1));
  if (version !== VERSION) {
    throw broken(`version ${quote(JSON.stringify(version))} is not supported, wanted ${VERSION} or none`);
  }
  const attributes = property(derivation, 'structuredAttrs');
  if (attributes === undefined) return parseCurrentForm(derivation, undefined);
  asObject(attributes, FORMAT, "'structuredAttrs'");
  return parseCurrentForm(derivation, printAttributes(text, keys));
}

/** Finds the one derivation of what a command printed: `{derivations: {PATH: …}, version: 4}`, or `{PATH: …}`. */
function unwrap(top: JsonObject): { readonly derivation: JsonObject; readonly keys: readonly string[] } {
  const derivations = property(top, 'derivations');
  const byPath = derivations === undefined ? top : asObject(derivations, FORMAT, "'derivations'");
  const paths = Object.keys(byPath);
  if (derivations === undefined && !paths.some((key) => key.endsWith('.drv'))) return { derivation: top, keys: [] };
  const [path] = paths;
  if (path === undefined || paths.length > 1) throw broken(`wanted one derivation, got ${paths.length}`);
  const derivation = asObject(byPath[path], FORMAT, quote(path));
  return { derivation, keys: derivations === undefined ? [path] : ['derivations', path] };
}

function parseCurrentForm(derivation: JsonObject, attributes: string | undefined): DraftDerivation {
  const inputs = asObject(property(derivation, 'inputs'), FORMAT, "'inputs'");
  const srcs = asStrings(property(inputs, 'srcs'), FORMAT, "'inputs.srcs'");
  const env = parseEnv(derivation);
  if (attributes !== undefined) {
    if (env.has(STRUCTURED_ATTRS_VARIABLE)) {
      throw broken(`'env.${STRUCTURED_ATTRS_VARIABLE}' and 'structuredAttrs' cannot both be there`);
    }
    env.set(STRUCTURED_ATTRS_VARIABLE, attributes);
  }
  return {
    name: checkedName(asString(property(derivation, 'name'), FORMAT, "'name'"), "'name'"),
    outputs: parseMap(property(derivation, 'outputs'), "'outputs'", checkedName, parseCurrentOutput),
    inputSrcs: sorted(srcs.map((path) => inPlace("'inputs.srcs'", () => parseBaseName(path)))),
    inputDrvs: parseMap(property(inputs, 'drvs'), "'inputs.drvs'", parseDerivationName, parseInput),
    ...parseCommon(derivation),
    env: sortedMap(env),
  };
}

/** @param path - that the derivation stands under, from which its name is known. */
function parseOldForm(storeDir: StoreDir, derivation: JsonObject, path: string | undefined): DraftDerivation {
  const srcs = asStrings(property(derivation, 'inputSrcs'), FORMAT, "'inputSrcs'");
  const parsePath = (text: string, what: string): StorePath => inPlace(what, () => parseStorePath(storeDir, text));
  const env = parseEnv(derivation);
  const name =
    path === undefined
      ? asString(property(derivation, 'name') ?? env.get('name'), FORMAT, "'name'")
      : derivationName(parsePath(path, 'the path'));
  return {
    name: checkedName(name, "'name'"),
    outputs: parseMap(property(derivation, 'outputs'), "'outputs'", checkedName, (output, what) =>
      parseOldOutput(storeDir, output, what),
    ),
    inputSrcs: sorted(srcs.map((each) => parsePath(each, "'inputSrcs'"))),
    inputDrvs: parseMap(
      property(derivation, 'inputDrvs'),
      "'inputDrvs'",
      (each, what) => requireDerivation(parsePath(each, what), what),
      parseInput,
    ),
    ...parseCommon(derivation),
    env: sortedMap(env),
  };
}

function parseCommon(derivation: JsonObject): Pick<DraftDerivation, 'system' | 'builder' | 'args'> {
  const system = asString(property(derivation, 'system'), FORMAT, "'system'");
  if (/["\\]/.test(system)) throw broken(`'system': ${quote(system)} has a quote or backslash`);
  return {
    system,
    builder: asString(property(derivation, 'builder'), FORMAT, "'builder'"),
    args: asStrings(property(derivation, 'args'), FORMAT, "'args'"),
  };
}

function parseEnv(derivation: JsonObject): Map<string, string> {
  const env = asObject(property(derivation, 'env'), FORMAT, "'env'");
  return new Map(
    Object.entries(env).map(([name, value]) => [
      asString(name, FORMAT, "a key of 'env'"),
      asString(value, FORMAT, `'env.${name}'`),
    ]),
  );
}

function parseCurrentOutput(value: Json, what: string): Partial<DerivationOutput> {
  const output = asObject(value, FORMAT, what);
  const [keys, path] = [Object.keys(output).sort().join(), property(output, 'path')];
  if (keys === '') return {};
  if (keys === 'path') return { path: inPlace(what, () => parseBaseName(asString(path, FORMAT, what))) };
  if (keys !== 'hash,method') throw unsupportedOutput(output, what);
  const [method, hash] = ['method', 'hash'].map((key) => asString(property(output, key), FORMAT, what));
  return { contentAddress: makeContentAddress(method!, hash!, what) };
}

function makeContentAddress(method: string, hash: string, what: string): ContentAddress {
  const known = METHODS.find((each) => each === method);
  if (known === undefined) throw broken(`${what}: unknown method ${quote(method)}`);
  return { method: known, hash: inPlace(what, () => parseHash(hash)) };
}

/** `hashAlgo` has the method before the algorithm, as derivations have it, unless there is a `method`. */
function parseOldOutput(storeDir: StoreDir, value: Json, what: string): Partial<DerivationOutput> {
  const output = asObject(value, FORMAT, what);
  const text = (key: string): string | undefined => {
    const field = property(output, key);
    return field === undefined ? undefined : asString(field, FORMAT, what);
  };
  const [path, algorithm, method, hash] = [text('path'), text('hashAlgo'), text('method'), text('hash')];
  const parsed = path === undefined ? {} : { path: inPlace(what, () => parseStorePath(storeDir, path)) };
  if (algorithm === undefined && hash === undefined) return parsed;
  if (algorithm === undefined || hash === undefined) throw unsupportedOutput(output, what);
  if (method !== undefined) {
    return { ...parsed, contentAddress: makeContentAddress(method, `${algorithm}:${hash}`, what) };
  }
  const prefix = algorithm.startsWith('text:') ? '' : 'fixed:';
  return { ...parsed, contentAddress: inPlace(what, () => parseContentAddress(`${prefix}${algorithm}:${hash}`)) };
}

/** The names of the outputs: a list, or `{outputs: […], dynamicOutputs: {}}`. */
function parseInput(value: Json, what: string): readonly string[] {
  if (isList(value)) return parseNames(value, what);
  const input = asObject(value, FORMAT, what);
  const dynamic = Object.keys(asObject(property(input, 'dynamicOutputs') ?? {}, FORMAT, what));
  if (dynamic.length > 0) throw broken(`${what}: dynamic derivations are not supported`);
  return parseNames(property(input, 'outputs'), what);
}

function parseNames(value: Json | undefined, what: string): readonly string[] {
  return sorted(asStrings(value, FORMAT, what).map((name) => checkedName(name, what)));
}

function parseDerivationName(text: string, what: string): StorePath {
  return requireDerivation(
    inPlace(what, () => parseBaseName(text)),
    what,
  );
}

function requireDerivation(path: StorePath, what: string): StorePath {
  if (isDerivationPath(path)) return path;
  throw broken(`${what}: ${quote(path)} is no derivation`);
}

function checkedName(name: string, what: string): string {
  inPlace(what, () => checkPathName(name));
  return name;
}

/** Structured attributes as Nix prints them into a derivation. */
function printAttributes(text: string, keys: readonly string[]): string {
  let value = parsePrintableJson(FORMAT, text);
  for (const key of [...keys, 'structuredAttrs']) value = (value as { readonly [key: string]: PrintableJson })[key]!;
  return printJson(value);
}

function parseMap<K extends string, V>(
  value: Json | undefined,
  where: string,
  parseKey: (text: string, what: string) => K,
  parseValue: (value: Json, what: string) => V,
): ReadonlyMap<K, V> {
  const entries = Object.entries(asObject(value, FORMAT, where));
  return sortedMap(entries.map(([key, each]) => [parseKey(key, where), parseValue(each, `${where}, ${quote(key)}`)]));
}

function sortedMap<K extends string, V>(entries: Iterable<readonly [K, V]>): ReadonlyMap<K, V> {
  return new Map([...entries].sort(([a], [b]) => compareText(a, b)));
}

function sorted<T extends string>(texts: readonly T[]): readonly T[] {
  return [...new Set(texts)].sort(compareText);
}

function unsupportedOutput(output: JsonObject, what: string): FormatError {
  const kind = Object.hasOwn(output, 'impure') ? 'an impure output' : 'an output that is not known beforehand';
  return broken(`${what}: ${kind} is not supported, got ${quote(JSON.stringify(output))}`);
}

function inPlace<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new FormatError(FORMAT, 0, `${what}: ${cause.message}`, { cause });
  }
}

function broken(problem: string): FormatError {
  return new FormatError(FORMAT, 0, problem);
}
