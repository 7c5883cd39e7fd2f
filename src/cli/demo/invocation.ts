/** How the user gets this program to run again: what the commands that it proposes begin with. */
import { basename, delimiter, dirname } from 'node:path';

/** What `process` has of it. */
export interface InvocationFacts {
  readonly argv: readonly string[];
  readonly execPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** `npm run -s sluice --`, `npx sluice`, `sluice`, or the two files in full: in the words of a shell. */
export function invocation({ argv, execPath, env }: InvocationFacts): string {
  const main = argv[1]!;
  if (env.npm_lifecycle_event === 'npx') return 'npx sluice';
  if (env.npm_lifecycle_event !== undefined) return 'npm run -s sluice --';
  const isOnPath = (env.PATH ?? '').split(delimiter).includes(dirname(main));
  if (basename(main) === 'sluice' && isOnPath) return 'sluice';
  return `${shellWord(execPath)} ${shellWord(main)}`;
}

/** A word as a POSIX shell reads it back. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
