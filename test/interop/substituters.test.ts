/** Which substituters are asked, and in which order: compared with what stock Nix tells of itself. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { serveCache } from '../support/http-cache.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { run, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const PATH = '/nix/store/00000000000000000000000000000000-nowhere';
const resources = new AsyncDisposableStack();
after(() => resources.disposeAsync());
const scratch = resources.use(await makeScratch());
const nix = await Nix.open(join(scratch.path, 'home'));

/** A cache over HTTP that has nothing; undefined is one without priority. */
async function cache(name: string, priority: number | undefined): Promise<string> {
  const dir = join(scratch.path, name);
  await mkdir(dir);
  const line = priority === undefined ? '' : `Priority: ${priority}\n`;
  await writeFile(join(dir, 'nix-cache-info'), `StoreDir: /nix/store\n${line}`);
  return resources.use(await serveCache(dir)).url;
}

const [low, middle, high, none, equal] = await Promise.all([
  cache('low', 50),
  cache('middle', 40),
  cache('high', 10),
  cache('none', undefined),
  cache('equal', 40),
]);

/** By what is special about each. */
const CONFIGURATIONS: Readonly<Record<string, string>> = {
  'one cache': `substituters = ${low}`,
  'priorities of the caches': `substituters = ${low} ${middle} ${high}`,
  'caches of the same priority': `substituters = ${equal} ${middle} ${high}`,
  'the same, the other way round': `substituters = ${middle} ${equal} ${high}`,
  'a cache without priority': `substituters = ${middle} ${none} ${high}`,
  'a priority in a URI': `substituters = ${low}?priority=5 ${middle} ${high}`,
  'extra substituters': `substituters = ${middle}\nextra-substituters = ${high} ${low}`,
  'the old name': `binary-caches = ${middle} ${high}`,
  'the old name, and more': `substituters = ${low}\nextra-binary-caches = ${high}`,
  'a cache that is named twice': `substituters = ${middle} ${high} ${middle}`,
  'a later line in place of an earlier': `substituters = ${low}\nsubstituters = ${middle} ${high}`,
  'a cache that is no cache': `substituters = ${low} ${low}/nothing ${high}`,
  'no substituters': 'substituters =',
  'substitution turned off': `substituters = ${low}\nsubstitute = false`,
};

for (const [name, configuration] of Object.entries(CONFIGURATIONS)) {
  test(`as stock Nix with ${name}`, { skip: nixMissing }, async () => {
    const env = { ...nix.env, NIX_CONFIG: configuration };
    const store = join(scratch.path, 'store');
    const stock = await run('nix-store', ['--store', store, '-r', '--dry-run', '--debug', PATH], { env });
    const theirs = [...stock.stderr.matchAll(/^checking substituter '([^']*)' for path/gm)].map(([, uri]) => uri);
    const ours = await sluice(['realise', '--store', store, PATH], { env: { NIX_CONFIG: configuration } });
    const asked = /^hint: asked: (.*)$/m.exec(ours.stderr)?.[1] ?? '';
    const uris = [...asked.matchAll(/'([^'?]*)[^']*'/g)].map(([, uri]) => uri);
    assert.equal(ours.code, 1, ours.stderr);
    assert.deepEqual(uris, theirs, ours.stderr);
  });
}
