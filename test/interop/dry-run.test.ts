/** What `realise --dry-run` says, beside `nix-store --realise --dry-run` on the same store and cache. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import { type CliResult, cliOutput, runCli } from '../support/cli.ts';
import { type LayeredCache, layeredCache } from '../support/layered-cache.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { lines, type RunResult } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const MISSING = ['00000000000000000000000000000000-z', '11111111111111111111111111111111-a'].map(
  (name) => `${DEFAULT_STORE_DIR}/${name}`,
);

const resources = new AsyncDisposableStack();
let cache: LayeredCache;
let nix: Nix;
/** One has nothing, one a part of what is in the cache, one everything. */
let stores: Readonly<Record<'empty' | 'partial' | 'full', string>>;
/** In full; those of the lowest layer first. */
let paths: readonly string[];

before(async () => {
  const { path } = resources.use(await makeScratch());
  cache = await layeredCache(join(path, 'cache'));
  nix = await Nix.open(join(path, 'home'));
  stores = { empty: join(path, 'empty'), partial: join(path, 'partial'), full: join(path, 'full') };
  paths = cache.paths.map((each) => printStorePath(DEFAULT_STORE_DIR, each));
  await cliOutput(withCache('realise', '-q', '--store', stores.partial, ...paths.slice(150, 170)));
  await cliOutput(withCache('realise', '-q', '--store', stores.full, cache.top));
});
after(() => resources.disposeAsync());

function withCache(...args: readonly string[]): string[] {
  return [...args, '--substituters', `file://${cache.dir}`, '--trusted-public-keys', cache.publicKey];
}

function nixDryRun(store: string, asked: readonly string[]): Promise<RunResult> {
  const args = withCache('--store', store, '--option', 'substitute', 'true', '--realise', '--dry-run', ...asked);
  return nix.run('nix-store', ...args);
}

function dryRun(store: string, asked: readonly string[]): Promise<CliResult> {
  return runCli(withCache('realise', '--dry-run', '--store', store, ...asked));
}

/** Headings, each with its paths. Nix 2.8 has them sorted by hash, and later ones by name. */
function sections(text: string): [heading: string, ...paths: string[]][] {
  const found: [string, ...string[]][] = [];
  for (const line of lines(text)) {
    if (line.startsWith('  ')) found.at(-1)!.push(line);
    else found.push([line]);
  }
  return found.map(([heading, ...listed]) => [heading, ...listed.sort()]);
}

const CASES = {
  'a whole closure': () => [stores.empty, [cache.top]],
  'a closure of which a part is valid': () => [stores.partial, [cache.top]],
  'a single path': () => [stores.empty, [paths[0]!]],
  'several paths, some of which need one another': () => [stores.partial, [paths[140]!, paths[0]!, paths[190]!]],
  'what is valid': () => [stores.full, [cache.top, paths[0]!]],
  'what nobody has': () => [stores.empty, MISSING],
  'what is there, what is not, and what nobody has': () => [stores.partial, [paths[0]!, paths[150]!, ...MISSING]],
} as const satisfies Record<string, () => readonly [store: string, asked: readonly string[]]>;

for (const [name, given] of Object.entries(CASES)) {
  test(`${name}: says what Nix says`, { skip: nixMissing }, async () => {
    const [store, asked] = given();
    const [theirs, ours] = await Promise.all([nixDryRun(store, asked), dryRun(store, asked)]);
    assert.deepEqual(sections(ours.stderr), sections(theirs.stderr));
    assert.deepEqual([ours.code, ours.stdout], [theirs.code, theirs.stdout]);
  });
}
