/**
 * Lines that a builder writes for programs among those for people: `@nix {"action":"setPhase","phase":"buildPhase"}`.
 *
 * Source: Nix 2.35 libutil/logging.cc, handleJSONLogMessage.
 */
import { FormatError } from '../errors.ts';
import { asObject, asSize, asString, isList, type Json, type JsonObject, parseJson, property } from './json.ts';

/** A number or a text that belongs to an activity. */
export type LogField = number | string;

/** What a line says. Plain data: it survives structured clone. */
export type LogMessage =
  | { readonly action: 'setPhase'; readonly phase: string }
  /** `level` is 0 for errors and up to 7 for what only its author understands. */
  | { readonly action: 'msg'; readonly level: number; readonly msg: string }
  /** An activity begins; `type` is Nix's number of its kind, such as 101 for a file transfer. */
  | {
      readonly action: 'start';
      readonly id: number;
      readonly level: number;
      readonly type: number;
      readonly text: string;
      readonly fields: readonly LogField[];
    }
  | { readonly action: 'stop'; readonly id: number }
  /** Something has come of an activity; `type` is Nix's number of its kind, such as 105 for progress. */
  | { readonly action: 'result'; readonly id: number; readonly type: number; readonly fields: readonly LogField[] };

const PREFIX = '@nix ';
const FORMAT = 'log message';
/** In characters: a longer line is for people. */
const MAX_LENGTH = 64 * 1024;
const MAX_FIELDS = 64;

/**
 * Reads a line of a log.
 *
 * @param line - without its newline.
 * @returns undefined for a line that is for people: also one that claims to be for programs, but says nothing that they
 *   would understand. Whoever builds can write what they like.
 */
export function parseLogLine(line: string): LogMessage | undefined {
  if (!line.startsWith(PREFIX) || line.length > MAX_LENGTH) return undefined;
  try {
    return parseMessage(asObject(parseJson(FORMAT, line.slice(PREFIX.length)), FORMAT, 'the message'));
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** The line of a message, without a newline. */
export function printLogLine(message: LogMessage): string {
  return PREFIX + JSON.stringify(message);
}

function parseMessage(object: JsonObject): LogMessage | undefined {
  const text = (key: string): string => asString(property(object, key), FORMAT, key);
  const number = (key: string): number => asSize(property(object, key), FORMAT, key);
  const action = text('action');
  switch (action) {
    case 'setPhase':
      return { action, phase: text('phase') };
    case 'msg':
      return { action, level: number('level'), msg: text('msg') };
    case 'start':
      return {
        action,
        id: number('id'),
        level: number('level'),
        type: number('type'),
        text: text('text'),
        fields: parseFields(property(object, 'fields')),
      };
    case 'stop':
      return { action, id: number('id') };
    case 'result':
      return { action, id: number('id'), type: number('type'), fields: parseFields(property(object, 'fields')) };
    default:
      return undefined;
  }
}

function parseFields(value: Json | undefined): readonly LogField[] {
  if (value === undefined) return [];
  if (!isList(value) || value.length > MAX_FIELDS) throw new FormatError(FORMAT, 0, 'wanted a short list of fields');
  return value.map((field) =>
    typeof field === 'number' ? asSize(field, FORMAT, 'a field') : asString(field, FORMAT, 'a field'),
  );
}
