/**
 * Closures out of a store's database, level by level and a chunk at a time, so that the event loop gets its turns.
 *
 * Source: Nix 2.35 libstore/misc.cc, Store::computeFSClosure.
 */
import { setImmediate } from 'node:timers/promises';
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { Step, StoreQueries } from './store-queries.ts';

/** Paths of one question: it is answered in some milliseconds. */
const CHUNK = 500;

/** Puts a question to the database as soon as that is free. */
export type Ask = <T>(question: (queries: StoreQueries) => T) => Promise<T>;

/** What is known of those of `paths` that are valid. */
export async function queryPathInfos(ask: Ask, paths: Iterable<StorePath>): Promise<Map<StorePath, PathInfo>> {
  const ids = await inChunks([...paths], (chunk) => ask((queries) => queries.idsOf(chunk)));
  return await infosOf(ask, ids);
}

/** What is known of the paths to which one step leads from `paths`. */
export async function queryStep(ask: Ask, paths: Iterable<StorePath>, step: Step): Promise<Map<StorePath, PathInfo>> {
  const ids = await inChunks([...paths], (chunk) => ask((queries) => queries.idsOf(chunk)));
  const found = await inChunks(ids, (chunk) => ask((queries) => queries.follow(step, chunk)));
  return await infosOf(ask, [...new Set(found)]);
}

/**
 * What is known of `paths` and of all that the steps lead to from there. What is not valid is left out.
 *
 * @param steps - all are taken from each path.
 */
export async function queryClosure(
  ask: Ask,
  paths: Iterable<StorePath>,
  steps: readonly Step[],
): Promise<Map<StorePath, PathInfo>> {
  let level = await inChunks([...paths], (chunk) => ask((queries) => queries.idsOf(chunk)));
  const seen = new Set(level);
  while (level.length > 0) {
    const found = await inChunks(level, (chunk) =>
      ask((queries) => steps.flatMap((step) => queries.follow(step, chunk))),
    );
    level = found.filter((id) => !seen.has(id) && seen.add(id));
  }
  return await infosOf(ask, [...seen]);
}

async function infosOf(ask: Ask, ids: readonly number[]): Promise<Map<StorePath, PathInfo>> {
  const infos = await inChunks(ids, (chunk) => ask((queries) => queries.infosOf(chunk)));
  return new Map(infos.map((info) => [info.path, info]));
}

async function inChunks<From, To>(
  all: readonly From[],
  ask: (chunk: readonly From[]) => Promise<readonly To[]>,
): Promise<To[]> {
  const answers: To[] = [];
  for (let start = 0; start < all.length; start += CHUNK) {
    if (start > 0) await setImmediate();
    for (const answer of await ask(all.slice(start, start + CHUNK))) answers.push(answer);
  }
  return answers;
}
