/**
 * The check of `.links`, where files lie that store paths share, each under the hash of its contents.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::verifyStore.
 */
import { readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { encodeNix32 } from '../../formats/nix32.ts';
import { hashNar } from './hash-nar.ts';

/** Bytes and files after which the event loop gets a turn, to hear of what was cancelled. */
const BREATH = { bytes: 8 * 1024 * 1024, files: 500 } as const;

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
  const bad: BadLink[] = [];
  let checked = 0;
  let bytes = 0;
  for (const [index, name] of readLinks(linksDir).entries()) {
    if (index % parts !== part) continue;
    signal.throwIfAborted();
    try {
      const { narHash, narSize } = await hashNar(`${linksDir}/${name}`, signal, onBytes);
      const got = encodeNix32(narHash.digest);
      if (got !== name) bad.push({ name, got, message: undefined });
      bytes += narSize;
    } catch (error) {
      signal.throwIfAborted();
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      bad.push({ name, got: undefined, message: (error as Error).message });
    }
    checked++;
    if (bytes < BREATH.bytes && checked % BREATH.files !== 0) continue;
    bytes = 0;
    await setImmediate();
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
