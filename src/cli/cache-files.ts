/** Where the command line keeps what it can do without. */
import { isAbsolute, join } from 'node:path';

/**
 * The file in which narinfos are remembered.
 *
 * @returns undefined where the environment names no place for it.
 */
export function narInfoCacheFile(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { XDG_CACHE_HOME: caches = '', HOME: home = '' } = environment;
  // The XDG specification has a relative path ignored.
  if (isAbsolute(caches)) return join(caches, 'sluice/narinfo-cache-v1.sqlite');
  return isAbsolute(home) ? join(home, '.cache/sluice/narinfo-cache-v1.sqlite') : undefined;
}
