/**
 * The lines of a nix.conf: `NAME = VALUE`, `include FILE`, `!include FILE`, and comments. What the settings mean is no
 * matter here.
 *
 * Source: Nix 2.35 manual, "nix.conf", "File format"; libutil/configuration.cc.
 */
import { UsageError } from '../errors.ts';

/** A line that gives a setting its value. */
export interface NixConfSetting {
  readonly kind: 'setting';
  readonly name: string;
  /** Its words, with one space between them. */
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/** A line that asks for another file, to be read in its place. */
export interface NixConfInclude {
  readonly kind: 'include';
  /** As it is written: relative to the directory of the file that it stands in. */
  readonly path: string;
  /** Whether the file must be there. */
  readonly required: boolean;
  readonly line: number;
}

/**
 * Reads the lines that say something, in their order.
 *
 * @param source - what the text is called in messages.
 * @throws {UsageError} on a line of another form. It names the line and does not show it: there may be a password in it.
 */
export function parseNixConf(text: string, source: string): (NixConfSetting | NixConfInclude)[] {
  const parsed: (NixConfSetting | NixConfInclude)[] = [];
  for (const [index, whole] of text.split('\n').entries()) {
    const [words, line] = [whole.replace(/#.*/s, '').match(/[^ \t\r]+/g), index + 1];
    if (words === null) continue;
    const [name, second] = words as [string, ...string[]];
    if (name === 'include' || name === '!include') {
      if (words.length !== 2) throw new UsageError(`${source}:${line}: '${name}' wants the name of one file`);
      parsed.push({ kind: 'include', path: second!, required: name === 'include', line });
    } else {
      if (second !== '=') {
        throw new UsageError(`${source}:${line}: a line wants the form 'NAME = VALUE', with spaces around the '='`);
      }
      parsed.push({ kind: 'setting', name, value: words.slice(2).join(' '), line });
    }
  }
  return parsed;
}
