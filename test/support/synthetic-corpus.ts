/** Many tiny store objects with a deep, wide graph of references, the same in every run. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_STORE_DIR, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { type CorpusObject, corpusPath } from './corpus.ts';
import { bytes } from './seeded.ts';

/** Up to so many objects before it is an object's first reference away: what makes the graph deep. */
const WINDOW = 400;
const MAX_REFERENCES = 12;
const MAX_FILES = 7;
const MAX_FILE_SIZE = 16 * 1024;

/**
 * Writes the files of `count` objects below `directory`. Every object holds up to 8 files of up to 16 KiB, and names its
 * references in one of them; the last one refers to all that nothing else refers to.
 */
export async function makeSyntheticObjects(directory: string, count: number, seed = 1): Promise<CorpusObject[]> {
  const below = seededIntegers(seed);
  const objects: CorpusObject[] = [];
  const unreferenced = new Set<StorePath>();
  for (let index = 0; index < count; index++) {
    const isTop = index === count - 1;
    const path = corpusPath(isTop ? 'synthetic-top' : `unit-${String(index).padStart(5, '0')}`);
    const references = new Set<StorePath>(isTop ? unreferenced : []);
    if (index > 0) references.add(objects[index - 1 - below(Math.min(index, WINDOW))]!.path);
    for (let more = index > 0 ? below(MAX_REFERENCES) : 0; more > 0; more--) {
      references.add(objects[Math.max(below(index), below(index))]!.path);
    }
    for (const reference of references) unreferenced.delete(reference);
    unreferenced.add(path);
    const location = join(directory, path);
    await writeObject(location, references, below);
    objects.push({ path, location, references: [...references].sort() });
  }
  return objects;
}

async function writeObject(location: string, references: Iterable<StorePath>, below: Below): Promise<void> {
  await mkdir(join(location, 'share'), { recursive: true });
  const text = [...references].map((path) => printStorePath(DEFAULT_STORE_DIR, path)).join('\n');
  await writeFile(join(location, 'references'), text);
  for (let file = below(MAX_FILES + 1); file > 0; file--) {
    // Most files are much smaller than the largest.
    const size = Math.floor(MAX_FILE_SIZE / 2 ** below(15));
    const name = join(location, below(2) === 0 ? 'share' : '.', `file-${file}`);
    await writeFile(name, bytes(size, { seed: below(2 ** 31) }), { mode: below(5) === 0 ? 0o755 : 0o644 });
  }
}

/** The next whole number from 0 up to, and without, `limit`. */
type Below = (limit: number) => number;

/** Pseudo-random numbers that are the same in every run (mulberry32). */
export function seededIntegers(seed: number): Below {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}
