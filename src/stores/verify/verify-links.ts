/**
 * The check of `.links`, where files lie that store paths share, each under the hash of its contents.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::verifyStore.
 */
import { readdirSync } from 'node:fs';
import { encodeNix32 } from '../../formats/nix32.ts';
import { hashNars, type NarOutcome } from './hash-nars.ts';

export interface BadLink {
  readonly name: string;
  /** The name that its contents would give it; undefined where it cannot be read. */
  readonly got: string | undefined;
  readonly message: string | undefined;
}

export interface CheckedLinks {
  readonly checked: number;
  readonly bad: readonly BadLink[];
}

/**
 * Hashes the files of `.links` and holds them against their names. What is deleted meanwhile is not looked at.
 *
 * @param part - of so many parts, this one is done, counted from zero.
 */
export async function verifyLinks(
  { linksDir, part, parts }: { readonly linksDir: string; readonly part: number; readonly parts: number },
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<CheckedLinks> {
  const names = readLinks(linksDir).filter((_, index) => index % parts === part);
  const files = names.map((name) => `${linksDir}/${name}`);
  const bad: BadLink[] = [];
  let checked = 0;
  const check = (name: string, outcome: NarOutcome): void => {
    if (outcome.ok) {
      const got = encodeNix32(outcome.found.narHash.digest);
      if (got !== name) bad.push({ name, got, message: undefined });
    } else {
      if ((outcome.error as NodeJS.ErrnoException).code === 'ENOENT') return;
      bad.push({ name, got: undefined, message: (outcome.error as Error).message });
    }
    checked++;
  };
  await hashNars(files, { signal, onBytes, onOutcome: (index, outcome) => check(names[index]!, outcome) });
  // Alone, and so in another way: nobody loses a link to a mistake in hashing two at once.
  for (const { name } of bad.splice(0)) {
    checked--;
    await hashNars([`${linksDir}/${name}`], { signal, onBytes: () => {}, onOutcome: (_, again) => check(name, again) });
  }
  return { checked, bad };
}

function readLinks(linksDir: string): readonly string[] {
  try {
    return readdirSync(linksDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
