/**
 * Reading what the Nix protocols are made of: numbers of eight bytes, little-endian; strings with their length before
 * them and zeros up to the next multiple of eight behind; lists with their count before them.
 *
 * A reading is a generator: it yields how many bytes it needs next, is resumed with exactly these, and returns what it
 * has read. So it is written top to bottom, and the same code serves sockets, pipes and tests that cut the input at
 * every byte. Every length is checked before the bytes are asked for, so whoever drives it holds no more than allowed.
 *
 * Source: Nix 2.35 libutil/serialise.cc.
 */
import { FormatError } from '../../errors.ts';
import { padded } from '../nar.ts';
import { quote } from '../quote.ts';

/** The bytes that it is resumed with are its own only until it yields again. */
export type Reading<T> = Generator<number, T, Uint8Array>;

/** In bytes: more than any name, setting or line of text that makes sense. */
export const MAX_STRING_LENGTH: number = 4 * 1024 * 1024;
/** Entries of a list. All paths of a large store are fewer. */
export const MAX_COUNT = 4_000_000;

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A number of any size. */
export function* readBigInteger(): Reading<bigint> {
  const bytes = yield 8;
  return view(bytes).readBigUInt64LE();
}

/** @throws {FormatError} on more than `limit`. */
export function* readInteger(limit: number = Number.MAX_SAFE_INTEGER, what = 'number'): Reading<number> {
  const bytes = view(yield 8);
  const value = bytes.readUInt32LE() + bytes.readUInt32LE(4) * 2 ** 32;
  if (value > limit) throw wireError(`a ${what} of ${bytes.readBigUInt64LE()}, the most here is ${limit}`);
  return value;
}

/** The number that a protocol begins with. @throws {FormatError} that shows what came in its place. */
export function* readMagic(magic: number, protocol: string): Reading<void> {
  const bytes = view(yield 8);
  if (bytes.readBigUInt64LE() === BigInt(magic)) return;
  throw wireError(`what answers does not speak the ${protocol}: it begins with ${quote(bytes.toString('latin1'))}`);
}

/** Anything but zero is true. */
export function* readBoolean(): Reading<boolean> {
  return (yield* readBigInteger()) !== 0n;
}

/**
 * @returns memory of its own.
 * @throws {FormatError} on a string longer than `limit`, and on padding that is not zero.
 */
export function* readBytes(limit: number = MAX_STRING_LENGTH): Reading<Uint8Array> {
  const length = yield* readInteger(limit, 'length');
  const bytes = yield padded(length);
  for (let position = length; position < bytes.length; position++) {
    if (bytes[position] !== 0) throw wireError('padding that is not zero');
  }
  return new Uint8Array(bytes.subarray(0, length)); // a Buffer's own slice would share memory
}

/** Text. @throws {FormatError} as {@link readBytes} does, and on what is not UTF-8. */
export function* readString(limit?: number): Reading<string> {
  const bytes = yield* readBytes(limit);
  try {
    return text.decode(bytes);
  } catch {
    throw wireError(`text that is not UTF-8: ${quote(view(bytes).toString('latin1'))}`);
  }
}

/** Text for people: what is not UTF-8 is replaced. */
export function* readMessage(limit?: number): Reading<string> {
  return view(yield* readBytes(limit)).toString('utf8');
}

/** @throws {FormatError} on more than `limit` entries. */
export function* readList<T>(readEntry: () => Reading<T>, limit: number = MAX_COUNT): Reading<T[]> {
  const count = yield* readInteger(limit, 'count');
  const entries: T[] = [];
  while (entries.length < count) entries.push(yield* readEntry());
  return entries;
}

/** Keys with their values. @throws {FormatError} on a key that comes twice. */
export function* readMap<V>(readValue: () => Reading<V>, limit: number = MAX_COUNT): Reading<Map<string, V>> {
  const count = yield* readInteger(limit, 'count');
  const entries = new Map<string, V>();
  while (entries.size < count) {
    const key = yield* readString();
    if (entries.has(key)) throw wireError(`key ${quote(key)} comes twice`);
    entries.set(key, yield* readValue());
  }
  return entries;
}

/** What breaks a protocol. Where in the stream it stands is not known here. */
export function wireError(problem: string): FormatError {
  return new FormatError('message', 0, problem);
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
