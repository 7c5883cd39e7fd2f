/** What is remembered of binary caches, for commands that open stores without a scheduler. */
import type { NarInfoCache } from '../stores/narinfo-cache/remembered-cache.ts';
import { openNarInfoCache } from '../stores/narinfo-disk-cache.ts';
import type { Cli } from './command.ts';

/** To be disposed after the stores that use it. */
export function openNarInfos({
  narInfoCache,
  settings,
}: Pick<Cli, 'narInfoCache' | 'settings'>): NarInfoCache | undefined {
  return narInfoCache === undefined ? undefined : openNarInfoCache(narInfoCache, settings);
}
