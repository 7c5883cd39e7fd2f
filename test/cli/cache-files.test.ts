import assert from 'node:assert/strict';
import { test } from 'node:test';
import { narInfoCacheFile } from '../../src/cli/cache-files.ts';

for (const [environment, file] of [
  [{ XDG_CACHE_HOME: '/caches', HOME: '/home/me' }, '/caches/sluice/narinfo-cache-v1.sqlite'],
  [{ HOME: '/home/me' }, '/home/me/.cache/sluice/narinfo-cache-v1.sqlite'],
  [{ XDG_CACHE_HOME: '', HOME: '/home/me' }, '/home/me/.cache/sluice/narinfo-cache-v1.sqlite'],
  [{ XDG_CACHE_HOME: 'relative', HOME: '/home/me' }, '/home/me/.cache/sluice/narinfo-cache-v1.sqlite'],
  [{}, undefined],
] as const) {
  test(`narinfos are remembered in ${file ?? 'no file'} with ${JSON.stringify(environment)}`, () => {
    assert.equal(narInfoCacheFile(environment), file);
  });
}
