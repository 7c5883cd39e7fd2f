/**
 * The floor: what this machine takes for the work that no program can do without, each part done alone, with all cores
 * and the fastest program for it. No run can be faster than the slowest part.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { NarInfo } from '../../src/formats/narinfo.ts';
import type { StorePath } from '../../src/formats/store-path.ts';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { dealOut } from './statistics.ts';

/** Every part is done so often, and the fastest counts. */
const ROUNDS = 2;

/** What decodes to the standard output, any number of files; they are its last arguments. */
const DECODERS: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  zstd: ['zstd', '-dqc', '--'],
  // One file is decoded by all cores where its writer made it of blocks; of many, each by one.
  xz: ['xz', '-dqc', '-T0', '--'],
};

/** The program that decodes a compression, where it takes one. */
export function decoderOf(compression: string): string | undefined {
  return DECODERS[compression]?.[0];
}

/** A file with a NAR in it, compressed or not. */
export interface NarFile {
  readonly file: string;
  /** Of the file. */
  readonly size: number;
}

/** Seconds to decompress files, as fast as it goes. */
export function timeDecoding(files: readonly NarFile[], compression: string, signal: AbortSignal): Promise<number> {
  const groups = dealOut(files, availableParallelism(), ({ size }) => size);
  return fastest(async () => {
    await Promise.all(
      groups.map((group) =>
        decode(
          group.map(({ file }) => file),
          compression,
          signal,
        ),
      ),
    );
  });
}

/** Seconds to take the sha256 of files, as fast as it goes; one file has one thread. */
export async function timeHashing(files: readonly NarFile[]): Promise<number> {
  const groups = dealOut(files, availableParallelism(), ({ size }) => size);
  await using threads = new AsyncDisposableStack();
  const workers = groups.map(() => {
    const worker = new Worker(new URL('./hash-files.ts', import.meta.url));
    return threads.adopt(worker, async (each) => void (await each.terminate()));
  });
  await Promise.all(workers.map((worker) => once(worker, 'online')));
  return await fastest(async () => {
    const done = workers.map((worker) => once(worker, 'message'));
    for (const [index, worker] of workers.entries()) worker.postMessage(groups[index]!.map(({ file }) => file));
    await Promise.all(done);
  });
}

/** A store object as it lies on disk. */
export interface Unpacked {
  readonly location: string;
  /** Of its NAR, for its weight. */
  readonly size: number;
}

/**
 * Seconds to write all files of store objects, as fast as `cp` copies them.
 *
 * @param directory - in the file system that is measured; does not exist before, and is gone after.
 */
export function timeWriting(objects: readonly Unpacked[], directory: string, signal: AbortSignal): Promise<number> {
  const groups = dealOut(objects, availableParallelism(), ({ size }) => size);
  return fastest(
    async () => {
      const copy = (group: readonly Unpacked[]): Promise<void> =>
        finish('cp', ['-a', '-t', directory, '--', ...group.map(({ location }) => location)], signal);
      await Promise.all(groups.map(copy));
    },
    {
      before: async () => void (await mkdir(directory)),
      after: () => removeTree(directory),
    },
  );
}

/**
 * How many answers have to be waited for one after another: the cache's own description, narinfos from the top to the
 * path that is farthest away on the shortest way to it, and a NAR.
 */
export function countRoundTrips(infos: readonly NarInfo[], top: StorePath): number {
  const references = new Map(infos.map((info) => [info.path, info.references]));
  const seen = new Set([top]);
  let levels = 0;
  for (let level = [top]; level.length > 0; levels++) {
    const next = new Set(level.flatMap((path) => references.get(path) ?? []));
    level = [...next].filter((path) => !seen.has(path));
    for (const path of level) seen.add(path);
  }
  return 1 + levels + 1;
}

interface Around {
  readonly before?: () => Promise<void>;
  readonly after?: () => Promise<void>;
}

async function fastest(work: () => Promise<void>, { before, after }: Around = {}): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    await before?.();
    const begin = performance.now();
    await work();
    least = Math.min(least, (performance.now() - begin) / 1000);
    await after?.();
  }
  return least;
}

function decode(files: readonly string[], compression: string, signal: AbortSignal): Promise<void> {
  const [program, ...args] = DECODERS[compression] ?? [];
  if (program === undefined) throw new Error(`unreachable: nothing decodes '${compression}'`);
  return finish(program, [...args, ...files], signal);
}

async function finish(program: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  using child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], signal });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
}
