/**
 * Piscina, which starts, watches and ends worker threads, as every pool wants it: nothing in it depends on settings. So a
 * thread can start before they are known. A program that is sure to need one calls {@link startThread} as the first of
 * all; the 30 ms until the thread's first line pass while its own modules are loaded.
 */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Piscina } from 'piscina';

/**
 * Of the heap of each thread, in MiB: little lives longer than a chunk there. Node's default of 48 makes nothing faster
 * and takes what it is given.
 */
const YOUNG_GENERATION = 12;

/** What was started ahead, until a pool takes it. */
let ahead: Piscina | undefined;

/** Starts the first thread of the next pool that is made. It does not keep the process from ending. */
export function startThread(): void {
  ahead ??= makeThreads(threadModule(), 1);
}

/**
 * Threads for one pool, which destroys them. The first of them runs already where {@link startThread} was called.
 *
 * @param entry - what runs in the threads, if not workers/thread.ts.
 */
export function takeThreads(entry: URL = threadModule()): Piscina {
  const module = threadModule();
  if (ahead === undefined || entry.href !== module.href) return makeThreads(entry, 0);
  const threads = ahead;
  ahead = undefined;
  return threads;
}

/** @param atOnce - threads that start now, and stay. The others start with their tasks; how many, the pool decides. */
function makeThreads(entry: URL, atOnce: number): Piscina {
  return new Piscina({
    filename: entry.href,
    minThreads: atOnce,
    maxThreads: Number.POSITIVE_INFINITY,
    // Not the default 'sync': it stops a worker's event loop between tasks, and with it its HTTP connections.
    atomics: 'disabled',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
    env: threadEnvironment(),
    argv: process.argv.slice(2, 3), // the command: compiled code is kept by it
    recordTiming: false,
  });
}

/** That of the process; where there is a compile cache, the threads shall use it, too. */
function threadEnvironment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  // The directory is that of one version of Node, below the one that was asked for.
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) };
}

/** workers/thread.ts; compiled, workers/thread.js. */
function threadModule(): URL {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  return new URL(`../../workers/thread${extension}`, import.meta.url);
}
