/**
 * What a daemon tells while an operation runs: log lines, activities, and whether it ended well. After the last message
 * comes the answer, after an error none.
 *
 * Source: Nix 2.35 libstore/worker-protocol-connection.cc, processStderr; libutil/logging.hh; libutil/serialise.cc.
 */
import {
  type Reading,
  readBigInteger,
  readInteger,
  readList,
  readMessage,
  readString,
  wireError,
} from '../wire/read.ts';

/** Each kind by the number it begins with. */
export const MESSAGE_KINDS = {
  next: 0x6f6c6d67,
  read: 0x64617461,
  write: 0x64617416,
  last: 0x616c7473,
  error: 0x63787470,
  startActivity: 0x53545254,
  stopActivity: 0x53544f50,
  result: 0x52534c54,
} as const;

/** Of activities, the one that builds; its first field is the derivation. */
export const BUILD_ACTIVITY = 105;
/** Of results: a line of a builder's log, the phase that it has entered, and a line of a hook after the build. */
export const BUILD_LOG_LINE = 101;
export const SET_PHASE = 104;
export const POST_BUILD_LOG_LINE = 107;

export type Field = number | string;

export type DaemonMessage =
  /** A line for the user. */
  | { readonly kind: 'next'; readonly text: string }
  /** The daemon wants so many bytes. */
  | { readonly kind: 'read'; readonly length: number }
  | { readonly kind: 'last' }
  | { readonly kind: 'error'; readonly error: DaemonError }
  | {
      readonly kind: 'startActivity';
      readonly id: bigint;
      readonly level: number;
      readonly type: number;
      readonly text: string;
      readonly fields: readonly Field[];
      readonly parent: bigint;
    }
  | { readonly kind: 'stopActivity'; readonly id: bigint }
  | { readonly kind: 'result'; readonly id: bigint; readonly type: number; readonly fields: readonly Field[] };

/** Why an operation failed. */
export interface DaemonError {
  readonly message: string;
  /** What it did then, innermost first. */
  readonly traces: readonly string[];
}

/** In bytes, of one message. */
const MAX_TEXT_LENGTH = 1024 * 1024;
const MAX_FIELDS = 1_000;
const MAX_TRACES = 1_000;

/**
 * Reads one message.
 *
 * @param minor - of the version.
 * @throws {FormatError} on what is none.
 */
export function* readDaemonMessage(minor: number): Reading<DaemonMessage> {
  const kind = yield* readBigInteger();
  switch (Number(kind)) {
    case MESSAGE_KINDS.next:
      return { kind: 'next', text: yield* readMessage(MAX_TEXT_LENGTH) };
    case MESSAGE_KINDS.read:
      return { kind: 'read', length: yield* readInteger() };
    case MESSAGE_KINDS.last:
      return { kind: 'last' };
    case MESSAGE_KINDS.error:
      return { kind: 'error', error: yield* readDaemonError(minor) };
    case MESSAGE_KINDS.startActivity:
      return {
        kind: 'startActivity',
        id: yield* readBigInteger(),
        level: yield* readInteger(),
        type: yield* readInteger(),
        text: yield* readMessage(MAX_TEXT_LENGTH),
        fields: yield* readList(readField, MAX_FIELDS),
        parent: yield* readBigInteger(),
      };
    case MESSAGE_KINDS.stopActivity:
      return { kind: 'stopActivity', id: yield* readBigInteger() };
    case MESSAGE_KINDS.result:
      return {
        kind: 'result',
        id: yield* readBigInteger(),
        type: yield* readInteger(),
        fields: yield* readList(readField, MAX_FIELDS),
      };
    default:
      throw wireError(`a daemon's message of unknown kind 0x${kind.toString(16)}`);
  }
}

/** Reads what follows the number of an error. */
export function* readDaemonError(minor: number): Reading<DaemonError> {
  if (minor < 26) {
    const message = yield* readMessage(MAX_TEXT_LENGTH);
    yield* readInteger(); // exit code
    return { message, traces: [] };
  }
  yield* readString(); // always 'Error'
  yield* readInteger(); // level
  yield* readString(); // a name that nobody uses
  const message = yield* readMessage(MAX_TEXT_LENGTH);
  yield* readPosition();
  const traces = yield* readList(readTrace, MAX_TRACES);
  return { message, traces };
}

function* readTrace(): Reading<string> {
  yield* readPosition();
  return yield* readMessage(MAX_TEXT_LENGTH);
}

/** There never is one: what it would look like is not known. */
function* readPosition(): Reading<void> {
  yield* readInteger(0, 'position');
}

/** Numbers that are too large to be exact are as near as they can be. */
function* readField(): Reading<Field> {
  const isText = (yield* readInteger(1, 'type of field')) === 1;
  return isText ? yield* readMessage(MAX_TEXT_LENGTH) : Number(yield* readBigInteger());
}
