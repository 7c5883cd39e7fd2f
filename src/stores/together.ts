/** Paths that become valid at once or not at all, on their way through registration: see StagedPath.together. */
import type { StorePath } from '../formats/store-path.ts';
import type { StagedPath } from './staged-path.ts';

/** The size of a chunk: what is begun with less is ended before the next begins. */
export interface ChunkSize {
  readonly paths: number;
  readonly references: number;
}

/** Cuts a batch into pieces. What belongs together is in one of them, even where that makes it larger. */
export function* chunksOf(batch: readonly StagedPath[], most: ChunkSize): Generator<readonly StagedPath[]> {
  const inBatch = new Set(batch.map(({ info }) => info.path));
  let chunk: StagedPath[] = [];
  let references = 0;
  /** What has to come into the chunk yet. */
  const awaited = new Set<StorePath>();
  for (const staged of batch) {
    for (const path of staged.together ?? []) if (inBatch.has(path)) awaited.add(path);
    chunk.push(staged);
    for (const { info } of awaited.size > 0 ? chunk : []) awaited.delete(info.path);
    references += staged.info.references.length;
    const isFull = chunk.length >= most.paths || references >= most.references;
    if (!isFull || awaited.size > 0) continue;
    yield chunk;
    [chunk, references] = [[], 0];
  }
  if (chunk.length > 0) yield chunk;
}

/** Adds to `putOff` those of `batch` that refer to one of it or belong together with one, and so on. */
export function putOffWithOthers(batch: readonly StagedPath[], putOff: Set<StorePath>): void {
  for (let before = -1; before < putOff.size; ) {
    before = putOff.size;
    for (const { info, together = [] } of before === 0 ? [] : batch) {
      const isPutOff = (path: StorePath): boolean => putOff.has(path);
      if (info.references.some(isPutOff) || together.some(isPutOff)) putOff.add(info.path);
    }
  }
}
