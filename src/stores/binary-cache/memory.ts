/** For how long a store takes what a binary cache said for granted, and where it is kept. */
import type { Settings } from '../../settings.ts';
import type { Remembered, RememberedCache } from '../narinfo-cache/remembered-cache.ts';

export type MemorySettings = Pick<
  Settings,
  'narinfoCacheMetaTtl' | 'narinfoCacheNegativeTtl' | 'narinfoCachePositiveTtl' | 'pathInfoCacheSize'
>;

export interface Memory {
  readonly settings: MemorySettings;
  /** What earlier runs have learned, and later ones will want to know. */
  readonly remembered?: RememberedCache | undefined;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

/** Whether what was learned then still counts. What comes from the future does not: the clock has been changed. */
export function isFresh({ since }: Pick<Remembered<unknown>, 'since'>, now: number, seconds: number): boolean {
  const age = now - since;
  return age >= 0 && age < seconds * 1000;
}
