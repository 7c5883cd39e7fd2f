/** Text of others on the user's terminal. */

/** Escape sequences of terminals, and what else would move the cursor. */
const CONTROL = /\p{Cc}(?:\[[0-9;?]*[ -/]*[@-~]|\][^\p{Cc}]*)?/gu;

/** A line without what terminals take for commands. */
export function plainText(line: string): string {
  return line.replaceAll('\t', ' ').replace(CONTROL, '');
}
