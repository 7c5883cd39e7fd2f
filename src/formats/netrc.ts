/**
 * The netrc file: user names and passwords by host, a list of words without any order of lines.
 *
 * Source: curl's documentation, "The .netrc file format", and libcurl's lib/netrc.c: what is known there as a quirk (a
 * comment may begin at any word, quoted words have escapes, unknown words are skipped) is kept.
 */
import { FormatError } from '../errors.ts';

export interface NetrcEntry {
  /** In lower case; undefined for the entry that is for all hosts. */
  readonly machine: string | undefined;
  readonly login: string | undefined;
  readonly password: string | undefined;
}

/** Blanks, a comment, a word in quotes, or any other word: whatever stands at an offset is one of these. */
const PIECE = /(\s+)|(#[^\n]*)|"((?:[^"\\]|\\.)*)"|([^\s]+)/sy;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/**
 * Reads all entries, in their order.
 *
 * @throws {FormatError} where a quote is not closed, or a word that wants another is the last; never with what is in it.
 */
export function parseNetrc(text: string): NetrcEntry[] {
  const words = new Words(text);
  const entries: { machine: string | undefined; login: string | undefined; password: string | undefined }[] = [];
  for (let word = words.next(); word !== undefined; word = words.next()) {
    switch (word.toLowerCase()) {
      case 'machine':
        entries.push({ machine: hostOf(words.value()), login: undefined, password: undefined });
        break;
      case 'default':
        entries.push({ machine: undefined, login: undefined, password: undefined });
        break;
      case 'macdef':
        words.skipParagraph();
        break;
      case 'login': {
        const login = words.value();
        const entry = entries.at(-1);
        if (entry !== undefined) entry.login = login;
        break;
      }
      case 'password': {
        const password = words.value();
        const entry = entries.at(-1);
        if (entry !== undefined) entry.password = password;
        break;
      }
      case 'account':
        words.value(); // so that it is not taken for a keyword
        break;
    }
  }
  return entries;
}

/**
 * The first entry for a host. An entry for all hosts counts as one, so that what comes after it is never found.
 *
 * @param host - without port.
 * @param login - where it is known already; entries for others are passed over then.
 */
export function findNetrcEntry(entries: readonly NetrcEntry[], host: string, login?: string): NetrcEntry | undefined {
  const wanted = hostOf(host);
  return entries.find(
    (entry) =>
      (entry.machine === undefined || entry.machine === wanted) &&
      (login === undefined || entry.login === undefined || entry.login === login) &&
      (entry.login ?? entry.password) !== undefined,
  );
}

/** As it is compared: case, the dot at the end of a full name and the brackets of IPv6 do not count. */
function hostOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/(.)\.$/, '$1');
}

class Words {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text.replace(/^\uFEFF/, '');
  }

  next(): string | undefined {
    while (this.#offset < this.#text.length) {
      PIECE.lastIndex = this.#offset;
      const [piece = '', blank, comment, quoted, plain] = PIECE.exec(this.#text) ?? [];
      if (plain?.startsWith('"')) throw new FormatError('netrc', this.#bytes(), 'a quote is not closed');
      this.#offset += piece.length;
      if (blank !== undefined || comment !== undefined) continue;
      return quoted === undefined ? plain : quoted.replace(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? letter);
    }
    return undefined;
  }

  /** The word after a keyword. */
  value(): string {
    const word = this.next();
    if (word === undefined) throw new FormatError('netrc', this.#bytes(), 'the file ends where a value is wanted');
    return word;
  }

  /** Passes over the definition of a macro, which ends with an empty line. */
  skipParagraph(): void {
    const end = /\n[ \t\r]*\n/g;
    end.lastIndex = this.#offset;
    this.#offset = end.exec(this.#text) === null ? this.#text.length : end.lastIndex;
  }

  #bytes(): number {
    return Buffer.byteLength(this.#text.slice(0, this.#offset));
  }
}
