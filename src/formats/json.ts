/** JSON of unknown origin: read, and taken apart with errors that say where something else was wanted. */
import { FormatError } from '../errors.ts';
import { quote } from './quote.ts';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** What is made of a value that was read, by what it looks like in the text where it is no list or object. */
type Revive = (value: unknown, source: string | undefined) => unknown;

/**
 * Reads JSON.
 *
 * @param format - what errors call it.
 * @throws {FormatError} on what is none, and on a key with a backslash. Its offset is 0 where V8 does not say it.
 */
export function parseJson(format: string, text: string): Json {
  // Most texts have no escapes, and are read much faster as they are.
  return (text.includes('\\') ? reviveJson(format, text, (value) => value) : parse(format, text)) as Json;
}

/**
 * Reads JSON, and lets `revive` replace each value.
 *
 * @throws {FormatError} as {@link parseJson} does, and on what is nested some thousand levels deep.
 */
export function reviveJson(format: string, text: string, revive: Revive): unknown {
  return parse(format, text, (key, value: unknown, context) => {
    // V8 takes an escaped key for one that it has seen in a like object, if that has a backslash at the same place:
    // `{"\r":1}` for `{"\\":1}`. No key is read wrongly that has none.
    if (key.includes('\\'))
      throw new FormatError(format, 0, `keys with a backslash are not supported, got ${quote(key)}`);
    return revive(value, context?.source);
  });
}

function parse(
  format: string,
  text: string,
  reviver?: (key: string, value: unknown, context?: { readonly source?: string }) => unknown,
): unknown {
  try {
    return JSON.parse(text, reviver);
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    if (cause instanceof RangeError) throw new FormatError(format, 0, 'nested too deeply', { cause });
    const { message } = cause as Error;
    const position = Number(/at position (\d+)/.exec(message)?.[1] ?? (/end of JSON/.test(message) ? text.length : 0));
    throw new FormatError(format, Buffer.byteLength(text.slice(0, position)), message, { cause });
  }
}

/** What a key of an object holds; undefined where there is none of its own. */
export function property(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** @throws {FormatError} on anything but an object; `what` is the place where it is. */
export function asObject(value: Json | undefined, format: string, what: string): JsonObject {
  if (isObject(value)) return value;
  throw wrongType(format, what, 'an object', value);
}

/** @throws {FormatError} on anything but true or false. */
export function asBoolean(value: Json | undefined, format: string, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw wrongType(format, what, 'true or false', value);
}

/** @throws {FormatError} on anything but a string, or one with half a surrogate pair, which has no bytes. */
export function asString(value: Json | undefined, format: string, what: string): string {
  if (typeof value === 'string' && value.isWellFormed()) return value;
  throw wrongType(format, what, 'a string', value);
}

/** @throws {FormatError} on anything but a whole number from 0 up to 2⁵³ − 1. */
export function asSize(value: Json | undefined, format: string, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrongType(format, what, 'a whole number', value);
}

/** @throws {FormatError} on anything but a list of strings. */
export function asStrings(value: Json | undefined, format: string, what: string): readonly string[] {
  if (!isList(value)) throw wrongType(format, what, 'a list of strings', value);
  return value.map((element) => asString(element, format, `an element of ${what}`));
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

/** What `Array.isArray` does not say of lists that are read only. */
export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function wrongType(format: string, what: string, wanted: string, got: Json | undefined): FormatError {
  const given = got === undefined ? 'nothing' : got === null ? 'null' : isList(got) ? 'a list' : `a ${typeof got}`;
  return new FormatError(format, 0, `${what}: wanted ${wanted}, got ${given.replace('a object', 'an object')}`);
}
