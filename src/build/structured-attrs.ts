/**
 * Structured attributes as a builder gets them: in JSON, and as far as bash can say them, as declarations of bash.
 *
 * Source: Nix 2.35 manual, "Advanced Attributes"; libstore/parsed-derivations.cc.
 */
import { compareText } from '../formats/compare-text.ts';
import { printContentAddress } from '../formats/content-address.ts';
import type { BasicDerivation } from '../formats/derivation.ts';
import { printHash } from '../formats/hash.ts';
import { JsonNumber, type PrintableJson, parsePrintableJson, printJson } from '../formats/json-print.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { STRUCTURED_ATTRS_VARIABLE } from '../formats/structured-attrs.ts';
import type { Graphs } from './derivation-files.ts';
import { outputPlaceholder } from './placeholders.ts';

/** By name, sorted. */
export type Attributes = ReadonlyMap<string, PrintableJson>;

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** A number in bash is a whole one of so many bits. */
const INT_BITS = 32;

/** The attributes of a derivation with `outputs`, by placeholders, and the closures that it asks for. */
export function withOutputsAndGraphs(storeDir: StoreDir, derivation: BasicDerivation, graphs: Graphs): Attributes {
  const text = derivation.env.get(STRUCTURED_ATTRS_VARIABLE) ?? '{}';
  const attributes = new Map(Object.entries(parsePrintableJson('structured attributes', text) as object));
  attributes.set(
    'outputs',
    Object.fromEntries(derivation.outputs.keys().map((name) => [name, outputPlaceholder(name)])),
  );
  for (const [name, infos] of Object.entries(graphs)) attributes.set(name, closureJson(storeDir, infos));
  return new Map([...attributes].sort(([a], [b]) => compareText(a, b)));
}

export function printAttrsJson(attributes: Attributes): string {
  return printJson(attributes);
}

/** What is a text, a whole number, a truth value, null, or a list or an object of these. */
export function printAttrsShell(attributes: Attributes): string {
  return [...attributes].map(([name, value]) => (VARIABLE.test(name) ? declare(name, value) : '')).join('');
}

function declare(name: string, value: PrintableJson): string {
  const simple = printSimple(value);
  if (simple !== undefined) return `declare ${name}=${simple}\n`;
  if (Array.isArray(value)) {
    const elements = (value as readonly PrintableJson[]).map(printSimple);
    if (elements.includes(undefined)) return '';
    return `declare -a ${name}=(${elements.map((element) => `${element} `).join('')})\n`;
  }
  if (typeof value !== 'object' || value === null || value instanceof JsonNumber) return '';
  const entries = Object.entries(value).sort(([a], [b]) => compareText(a, b));
  const printed = entries.map(([key, element]) => [quoteForShell(key), printSimple(element)] as const);
  if (printed.some(([, element]) => element === undefined)) return '';
  return `declare -A ${name}=(${printed.map(([key, element]) => `[${key}]=${element} `).join('')})\n`;
}

function printSimple(value: PrintableJson): string | undefined {
  if (typeof value === 'string') return quoteForShell(value);
  if (value === null) return "''";
  if (typeof value === 'boolean') return value ? '1' : '';
  if (!(value instanceof JsonNumber)) return undefined;
  const number = Number(value.text);
  return Math.ceil(Math.fround(number)) === Math.fround(number)
    ? String(BigInt.asIntN(INT_BITS, BigInt(Math.trunc(number))))
    : undefined;
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What is said of the paths of a closure; builders depend on the form, so it stays as it is. */
function closureJson(storeDir: StoreDir, infos: readonly PathInfo[]): PrintableJson {
  const byPath = new Map(infos.map((info) => [info.path, info]));
  const print = (path: StorePath): string => printStorePath(storeDir, path);
  return infos.map((info) => ({
    ...(info.contentAddress === undefined ? {} : { ca: printContentAddress(info.contentAddress) }),
    closureSize: new JsonNumber(String(closureSize(byPath, info))),
    narHash: printHash(info.narHash, 'nix32'),
    narSize: new JsonNumber(String(info.narSize)),
    path: print(info.path),
    references: info.references.map(print),
    valid: true,
  }));
}

function closureSize(byPath: ReadonlyMap<StorePath, PathInfo>, start: PathInfo): number {
  const closure = new Set([start]);
  for (const { references } of closure) {
    for (const reference of references) {
      const info = byPath.get(reference);
      if (info !== undefined) closure.add(info); // a Set is walked to its end while it grows
    }
  }
  return closure.values().reduce((size, { narSize }) => size + narSize, 0);
}
