/**
 * Prints JSON with keys in a stated order and numbers as they were spelled, neither of which `JSON.stringify` can do:
 * keys that look like numbers come first there, and numbers beyond 2⁵³ change.
 */
import { FormatError } from '../errors.ts';
import { compareText } from './compare-text.ts';
import { reviveJson } from './json.ts';

/** A number as it is spelled. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A map is an object whose keys keep their order; those of any other object are sorted by their bytes. */
export type PrintableJson =
  | null
  | boolean
  | string
  | JsonNumber
  | readonly PrintableJson[]
  | ReadonlyMap<string, PrintableJson>
  | { readonly [key: string]: PrintableJson };

const MAX_DEPTH = 1_000;

/**
 * Reads JSON so that it can be printed with its numbers as they are.
 *
 * @throws {FormatError} as {@link reviveJson} does.
 */
export function parsePrintableJson(format: string, text: string): PrintableJson {
  return reviveJson(format, text, (value, source) =>
    typeof value === 'number' ? new JsonNumber(source!) : value,
  ) as PrintableJson;
}

/**
 * @param indent - spaces a level; 0 prints everything on one line.
 * @throws {FormatError} on what is nested more than 1,000 levels deep.
 */
export function printJson(value: PrintableJson, indent = 0, depth = 0): string {
  if (depth > MAX_DEPTH) throw new FormatError('JSON', 0, `nested more than ${MAX_DEPTH} levels deep`);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (value instanceof JsonNumber) return value.text;
  const print = (element: PrintableJson): string => printJson(element, indent, depth + 1);
  if (isPrintableList(value)) return wrap('[]', value.map(print), indent, depth);
  const entries = isPrintableMap(value) ? [...value] : Object.entries(value).sort(([a], [b]) => compareText(a, b));
  const colon = indent === 0 ? ':' : ': ';
  const pairs = entries.map(([key, element]) => `${JSON.stringify(key)}${colon}${print(element)}`);
  return wrap('{}', pairs, indent, depth);
}

function wrap(brackets: string, elements: readonly string[], indent: number, depth: number): string {
  const [open, close] = brackets;
  if (elements.length === 0) return brackets;
  if (indent === 0) return `${open}${elements.join()}${close}`;
  const [outer, inner] = [`\n${' '.repeat(indent * depth)}`, `\n${' '.repeat(indent * (depth + 1))}`];
  return `${open}${inner}${elements.join(`,${inner}`)}${outer}${close}`;
}

function isPrintableList(value: PrintableJson): value is readonly PrintableJson[] {
  return Array.isArray(value);
}

function isPrintableMap(value: PrintableJson): value is ReadonlyMap<string, PrintableJson> {
  return value instanceof Map;
}
