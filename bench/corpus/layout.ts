/**
 * A corpus on disk: a directory with `top` (the path whose closure it is), `paths` (the closure, one a line),
 * `public.key`, and a binary cache for each compression, `cache-zstd` for one.
 */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type NarInfo, parseNarInfo } from '../../src/formats/narinfo.ts';
import { DEFAULT_STORE_DIR, hashPart, parseStorePath } from '../../src/formats/store-path.ts';
import { lines } from '../../test/support/run.ts';

export interface CorpusOnDisk {
  readonly name: string;
  readonly directory: string;
  /** With the store dir. */
  readonly top: string;
  /** With the store dir. */
  readonly paths: readonly string[];
  readonly publicKey: string;
}

/** The directory of a cache in that of its corpus. */
export function cacheName(compression: string): string {
  return `cache-${compression.replace(/&.*/, '')}`;
}

/** @returns undefined where there is none, or one that was not finished. */
export async function readCorpus(corpora: string, name: string): Promise<CorpusOnDisk | undefined> {
  const directory = join(corpora, name);
  const read = async (file: string): Promise<string> => (await readFile(join(directory, file), 'utf8')).trim();
  try {
    const [top, paths, publicKey] = await Promise.all(['top', 'paths', 'public.key'].map(read));
    return { name, directory, top: top!, paths: lines(paths!), publicKey: publicKey! };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether a corpus has a cache with this compression. */
export async function hasCache({ directory }: CorpusOnDisk, compression: string): Promise<boolean> {
  return access(join(directory, cacheName(compression), 'nix-cache-info')).then(
    () => true,
    () => false,
  );
}

/** What a cache says of every path of a corpus, in the order of its paths. */
export async function readNarInfos({ directory, paths }: CorpusOnDisk, compression: string): Promise<NarInfo[]> {
  const infos: NarInfo[] = [];
  for (const path of paths) {
    const name = `${hashPart(parseStorePath(DEFAULT_STORE_DIR, path))}.narinfo`;
    const text = await readFile(join(directory, cacheName(compression), name), 'utf8');
    infos.push(parseNarInfo(DEFAULT_STORE_DIR, text));
  }
  return infos;
}
