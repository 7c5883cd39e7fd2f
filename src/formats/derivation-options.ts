/**
 * What a derivation says about its own build: in variables, or in structured attributes where it has these.
 *
 * Source: Nix 2.35 manual, "Advanced Attributes"; libstore/derivation-options.cc.
 */
import { FormatError } from '../errors.ts';
import { compareText } from './compare-text.ts';
import type { BasicDerivation } from './derivation.ts';
import {
  asBoolean,
  asObject,
  asSize,
  asString,
  asStrings,
  isList,
  type Json,
  type JsonObject,
  property,
} from './json.ts';
import { quote } from './quote.ts';
import { parseStorePath, parseWithin, type StoreDir, type StorePath } from './store-path.ts';
import { parseStructuredAttrs } from './structured-attrs.ts';

/** A store path, or an output of the same derivation by its name. */
export type CheckedReference =
  | { readonly path: StorePath; readonly output?: undefined }
  | { readonly output: string; readonly path?: undefined };

/** What an output must keep to; each list has an element once. */
export interface OutputChecks {
  /** Bytes of its NAR. */
  readonly maxSize?: number | undefined;
  /** Bytes of all NARs of its closure. */
  readonly maxClosureSize?: number | undefined;
  /** Undefined where everything is allowed. */
  readonly allowedReferences?: readonly CheckedReference[] | undefined;
  readonly allowedRequisites?: readonly CheckedReference[] | undefined;
  readonly disallowedReferences: readonly CheckedReference[];
  readonly disallowedRequisites: readonly CheckedReference[];
  /** Whether an output may refer to itself, whatever the lists say. */
  readonly ignoreSelfRefs: boolean;
}

/** Without structured attributes the same holds for all outputs. */
export type OutputChecksOf =
  | { readonly forAllOutputs: OutputChecks; readonly perOutput?: undefined }
  | { readonly perOutput: ReadonlyMap<string, OutputChecks>; readonly forAllOutputs?: undefined };

/** Plain data: it survives structured clone. Lists of texts are sorted, each text once. */
export interface DerivationOptions {
  /** What `__json` says; the options that come from there are below as well. */
  readonly structuredAttrs: JsonObject | undefined;
  readonly allowSubstitutes: boolean;
  readonly preferLocalBuild: boolean;
  readonly requiredSystemFeatures: readonly string[];
  /** Variables that the builder of a fixed output gets from the environment. */
  readonly impureEnvVars: readonly string[];
  /** Variables whose value the builder gets as a file; none with structured attributes, which are a file anyway. */
  readonly passAsFile: readonly string[];
  /** Paths whose closures the builder is told, by name: of a file, or of a structured attribute. */
  readonly exportReferencesGraph: ReadonlyMap<string, readonly StorePath[]>;
  readonly outputChecks: OutputChecksOf;
  /** Outputs that are registered without references where it says true. */
  readonly unsafeDiscardReferences: ReadonlyMap<string, boolean>;
  /** Whether the build asks to run outside the sandbox. */
  readonly noChroot: boolean;
  /** Files outside the store that the builder asks for. */
  readonly impureHostDeps: readonly string[];
}

const FORMAT = 'derivation options';
const FILE_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/**
 * Reads the options of a derivation. Options of macOS alone are not looked at.
 *
 * @throws {FormatError} on a value of another type than the option has, on a path that is none, and on structured
 *   attributes that are not JSON.
 */
export function parseDerivationOptions(storeDir: StoreDir, { env }: BasicDerivation): DerivationOptions {
  const structuredAttrs = parseStructuredAttrs(env);
  const source = structuredAttrs === undefined ? environmentSource(env) : structuredSource(structuredAttrs);
  return {
    structuredAttrs,
    allowSubstitutes: source.flag('allowSubstitutes') ?? true,
    preferLocalBuild: source.flag('preferLocalBuild') ?? false,
    requiredSystemFeatures: source.words('requiredSystemFeatures') ?? [],
    impureEnvVars: source.words('impureEnvVars') ?? [],
    passAsFile: structuredAttrs === undefined ? (source.words('passAsFile') ?? []) : [],
    exportReferencesGraph:
      structuredAttrs === undefined
        ? exportedByVariable(storeDir, env)
        : exportedByAttribute(storeDir, structuredAttrs),
    outputChecks:
      structuredAttrs === undefined
        ? { forAllOutputs: { ...parseLists(storeDir, source), ignoreSelfRefs: true } }
        : { perOutput: parsePerOutput(storeDir, structuredAttrs) },
    unsafeDiscardReferences: structuredAttrs === undefined ? new Map() : parseDiscarded(structuredAttrs),
    noChroot: source.flag('__noChroot') ?? false,
    impureHostDeps: source.words('__impureHostDeps') ?? [],
  };
}

/** Where options come from; each answers undefined where the option is not there. */
interface OptionSource {
  flag(name: string): boolean | undefined;
  words(name: string): readonly string[] | undefined;
}

function environmentSource(env: ReadonlyMap<string, string>): OptionSource {
  return {
    flag: (name) => (env.has(name) ? env.get(name) === '1' : undefined),
    words: (name) => (env.has(name) ? sorted(splitWords(env.get(name)!)) : undefined),
  };
}

/** @param where - of the attributes, for errors; with a dot at its end. */
function structuredSource(attributes: JsonObject, where = ''): OptionSource {
  const read = <T>(name: string, parse: (value: Json, what: string) => T): T | undefined => {
    const value = property(attributes, name);
    return value === undefined ? undefined : parse(value, `'${where}${name}'`);
  };
  return {
    flag: (name) => read(name, (value, what) => asBoolean(value, FORMAT, what)),
    words: (name) => read(name, (value, what) => sorted(asStrings(value, FORMAT, what))),
  };
}

function parseLists(storeDir: StoreDir, source: OptionSource): Omit<OutputChecks, 'ignoreSelfRefs'> {
  const references = (name: string): readonly CheckedReference[] | undefined =>
    source.words(name)?.map((word) => parseReference(storeDir, word));
  return {
    allowedReferences: references('allowedReferences'),
    allowedRequisites: references('allowedRequisites'),
    disallowedReferences: references('disallowedReferences') ?? [],
    disallowedRequisites: references('disallowedRequisites') ?? [],
  };
}

function parsePerOutput(storeDir: StoreDir, attributes: JsonObject): ReadonlyMap<string, OutputChecks> {
  const checks = property(attributes, 'outputChecks');
  if (checks === undefined) return new Map();
  return parseEach(checks, 'outputChecks', (value, what) => {
    const object = asObject(value, FORMAT, `'${what}'`);
    const size = (name: string): number | undefined => {
      const bytes = property(object, name);
      return bytes === undefined ? undefined : asSize(bytes, FORMAT, `'${what}.${name}'`);
    };
    return {
      ...parseLists(storeDir, structuredSource(object, `${what}.`)),
      maxSize: size('maxSize'),
      maxClosureSize: size('maxClosureSize'),
      ignoreSelfRefs: false,
    };
  });
}

function parseDiscarded(attributes: JsonObject): ReadonlyMap<string, boolean> {
  const discarded = property(attributes, 'unsafeDiscardReferences');
  if (discarded === undefined) return new Map();
  return parseEach(discarded, 'unsafeDiscardReferences', (value, what) => asBoolean(value, FORMAT, `'${what}'`));
}

function exportedByVariable(
  storeDir: StoreDir,
  env: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly StorePath[]> {
  const words = splitWords(env.get('exportReferencesGraph') ?? '');
  if (words.length % 2 !== 0) {
    throw new FormatError(
      FORMAT,
      0,
      `'exportReferencesGraph': wanted pairs of a name and a path, got ${words.length} words`,
    );
  }
  const exported = new Map<string, readonly StorePath[]>();
  for (let index = 0; index < words.length; index += 2) {
    const [name, path] = [words[index]!, words[index + 1]!];
    if (!FILE_NAME.test(name)) {
      throw new FormatError(FORMAT, 0, `'exportReferencesGraph': ${quote(name)} cannot be the name of a file`);
    }
    exported.set(name, [parseWithin(storeDir, path).path]);
  }
  return exported;
}

/** What is no object is passed over, as Nix does. */
function exportedByAttribute(storeDir: StoreDir, attributes: JsonObject): ReadonlyMap<string, readonly StorePath[]> {
  const exported = property(attributes, 'exportReferencesGraph');
  if (typeof exported !== 'object' || exported === null || isList(exported)) return new Map();
  return parseEach(exported, 'exportReferencesGraph', (value, what) =>
    sorted(flatten(value, what).map((path) => parseWithin(storeDir, path).path)),
  );
}

function parseEach<T>(value: Json, where: string, parse: (value: Json, what: string) => T): ReadonlyMap<string, T> {
  const entries = Object.entries(asObject(value, FORMAT, `'${where}'`));
  return new Map(entries.map(([name, each]) => [name, parse(each, `${where}.${name}`)]));
}

/** The strings of lists in lists, without calling itself: whoever wrote it may have nested them as deeply as they like. */
function flatten(value: Json, what: string): string[] {
  const strings: string[] = [];
  const rest = [value];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    if (isList(next)) rest.push(...next);
    else strings.push(asString(next, FORMAT, `an element of '${what}'`));
  }
  return strings;
}

function parseReference(storeDir: StoreDir, word: string): CheckedReference {
  try {
    return { path: parseStorePath(storeDir, word) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { output: word };
  }
}

function splitWords(text: string): string[] {
  return text.split(/[ \t\n\r]+/).filter((word) => word !== '');
}

function sorted<T extends string>(texts: readonly T[]): readonly T[] {
  return [...new Set(texts)].sort(compareText);
}
