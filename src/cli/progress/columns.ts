/**
 * How many columns of a terminal a text takes: never fewer than it does, as a line that wraps breaks a live display.
 * Terminals differ in what is joined to what is before it, so that accents that stand alone count as well.
 *
 * Source: Unicode 16, UAX #11, EastAsianWidth.txt: what is wide, and what is not.
 */

/** Without anything that takes more than a column for each code unit. */
const PLAIN = /^[\u0020-\u10ff\u1e00-\u2319\u2500-\u25fc]*$/;

/** @param text - one line, without control characters. */
export function columnsOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += PLAIN.test(character) ? 1 : 2;
  return columns;
}

/** The beginning of `text` as far as it fits, with `…` where something is left out. */
export function truncate(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let [taken, end] = [0, 0];
  for (const character of text) {
    taken += PLAIN.test(character) ? 1 : 2;
    if (taken > columns - 1) break;
    end += character.length;
  }
  return columns < 1 ? '' : `${text.slice(0, end)}…`;
}
