/** Options that name a store. */
import { resolve } from 'node:path';

/** The URI as the stores take it: a relative path, which begins with a dot, is made absolute. */
export function storeUri(text: string): string {
  return /^\.\.?(?:$|[/?])/.test(text) ? resolvePath(text) : text;
}

function resolvePath(text: string): string {
  const question = text.indexOf('?');
  return question < 0 ? resolve(text) : resolve(text.slice(0, question)) + text.slice(question);
}

/** For options that may come more than once: `command.option('--from <uri>', '…', addStoreUri)`. */
export function addStoreUri(text: string, before: readonly string[] = []): string[] {
  return [...before, storeUri(text)];
}
