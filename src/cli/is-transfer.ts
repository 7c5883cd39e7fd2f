/** Guesses from the command line alone whether a worker thread will be needed. */
import { existsSync } from 'node:fs';

/** Those that need a thread where a path is missing. */
const COMMANDS: readonly unknown[] = ['realise', 'build', 'copy'];
/** A store path, maybe with outputs. */
const STORE_PATH = /^(\/.*\/[0-9a-z]{32}-[^^/]*)(\^.*)?$/;
/** The store that paths are to be valid in, in the same word or in the next. */
const STORE = /^--(?:store|to)(?:=(.*))?$/;
/** Its root in a URI. */
const ROOT = /^local\?(?:.*&)?root=([^&]*)/;

/**
 * Whether something is to be fetched, as far as can be told before anything is parsed: a path is named that is not in the
 * store. Who is wrong about it starts a thread in vain (35 ms of CPU), or later than could be.
 */
export function isTransfer([command, ...words]: readonly string[]): boolean {
  if (!COMMANDS.includes(command) || words.includes('--dry-run')) return false;
  const root = rootOf(words);
  return words.some((word) => {
    const path = STORE_PATH.exec(word)?.[1];
    return path !== undefined && !existsSync(root + path);
  });
}

/** What stands before store paths where they are on disk. */
function rootOf(words: readonly string[]): string {
  for (const [index, word] of words.entries()) {
    const found = STORE.exec(word);
    if (found === null) continue;
    const store = found[1] ?? words[index + 1] ?? '';
    return ROOT.exec(store)?.[1] ?? (store === 'local' ? '' : store);
  }
  return '';
}
