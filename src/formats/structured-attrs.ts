/**
 * Structured attributes: what a derivation says in JSON, in its variable `__json`, where it would say it in one variable
 * for each attribute otherwise.
 *
 * Source: Nix 2.35 manual, "Advanced Attributes".
 */
import { asObject, type JsonObject, parseJson } from './json.ts';

/** The variable that holds them. */
export const STRUCTURED_ATTRS_VARIABLE = '__json';

const FORMAT = 'structured attributes';

/**
 * The structured attributes of a derivation; undefined where it has none.
 *
 * @throws {FormatError} on what is not a JSON object.
 */
export function parseStructuredAttrs(env: ReadonlyMap<string, string>): JsonObject | undefined {
  const text = env.get(STRUCTURED_ATTRS_VARIABLE);
  return text === undefined ? undefined : asObject(parseJson(FORMAT, text), FORMAT, FORMAT);
}
