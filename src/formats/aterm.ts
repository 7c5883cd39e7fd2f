/**
 * The notation of derivation files: strings in quotes, lists in brackets, tuples in parentheses, without any space.
 *
 * Source: Nix 2.35 manual, "Derivation ATerm format"; libstore/derivations.cc.
 */
import { FormatError } from '../errors.ts';
import { quote } from './quote.ts';

/** What a backslash stands before, where it is not the character itself. */
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
const ESCAPED: Readonly<Record<string, string>> = { '\n': 'n', '\r': 'r', '\t': 't' };

/** Reads a text from its start, once, in linear time. */
export class AtermReader {
  readonly #text: string;
  readonly #format: string;
  readonly #encoding: 'utf8' | 'latin1';
  #position = 0;
  /** Where the first backslash from here on is, as found last; searched for again only when it is passed. */
  #backslash = -1;

  /**
   * @param format - what errors call it.
   * @param encoding - that `text` was decoded from: errors count in bytes.
   */
  constructor(format: string, text: string, encoding: 'utf8' | 'latin1') {
    this.#format = format;
    this.#text = text;
    this.#encoding = encoding;
  }

  /** In characters; only good for {@link broken}. */
  get position(): number {
    return this.#position;
  }

  /** Whether `literal` comes next; it is passed then. */
  accepts(literal: string): boolean {
    if (!this.#text.startsWith(literal, this.#position)) return false;
    this.#position += literal.length;
    return true;
  }

  /** @throws {FormatError} where something else comes next. */
  expect(literal: string): void {
    if (!this.accepts(literal)) throw this.broken(`wanted '${literal}', got ${this.#ahead()}`);
  }

  /** @throws {FormatError} where more comes. */
  expectEnd(): void {
    if (this.#position < this.#text.length) throw this.broken(`wanted the end, got ${this.#ahead()}`);
  }

  /**
   * Reads a string. A backslash takes the next character as it is, except `\n`, `\r` and `\t`.
   *
   * @throws {FormatError} where none comes next, or it has no end.
   */
  string(): string {
    this.expect('"');
    const start = this.#position;
    const end = this.#text.indexOf('"', start);
    if (end < 0) throw this.broken('a string has no end', start - 1);
    if (this.#nextBackslash(start) > end) {
      this.#position = end + 1;
      return this.#text.slice(start, end);
    }
    return this.#escapedString(start);
  }

  /**
   * Reads a list, and calls `element` where each of its elements begins.
   *
   * @throws {FormatError} where none comes next; also what `element` throws.
   */
  list(element: () => void): void {
    this.expect('[');
    if (this.accepts(']')) return;
    do element();
    while (this.accepts(','));
    this.expect(']');
  }

  /** Reads a list of strings. */
  strings(): string[] {
    const strings: string[] = [];
    this.list(() => strings.push(this.string()));
    return strings;
  }

  /** @param position - from {@link position}; where reading is now, unless given. */
  broken(problem: string, position: number = this.#position, cause?: unknown): FormatError {
    const offset = Buffer.byteLength(this.#text.slice(0, position), this.#encoding);
    return new FormatError(this.#format, offset, problem, { cause });
  }

  #escapedString(start: number): string {
    const parts: string[] = [];
    let from = start;
    for (;;) {
      const end = this.#text.indexOf('"', from);
      const backslash = this.#nextBackslash(from);
      const escaped = this.#text[backslash + 1];
      if (end < 0 || (backslash < end && escaped === undefined)) throw this.broken('a string has no end', start - 1);
      if (backslash > end) {
        parts.push(this.#text.slice(from, end));
        this.#position = end + 1;
        return parts.join('');
      }
      parts.push(this.#text.slice(from, backslash), ESCAPES[escaped!] ?? escaped!);
      from = backslash + 2;
    }
  }

  #nextBackslash(from: number): number {
    if (this.#backslash < from) {
      const found = this.#text.indexOf('\\', from);
      this.#backslash = found < 0 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#backslash;
  }

  #ahead(): string {
    const ahead = this.#text.slice(this.#position, this.#position + 20);
    return ahead === '' ? 'the end' : quote(ahead);
  }
}

/** The string in quotes, with escapes where they are needed. */
export function printAtermString(text: string): string {
  // Most strings need none, and looking is faster than replacing.
  if (!/["\\\n\r\t]/.test(text)) return `"${text}"`;
  return `"${text.replace(/["\\\n\r\t]/g, (char) => `\\${ESCAPED[char] ?? char}`)}"`;
}
