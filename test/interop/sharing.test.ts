/**
 * One store, used at the same time by eight processes of stock Nix and four of Sluice, which make paths valid, collect,
 * verify and link files at random, and of which some are killed: what roots keep is there at any time, and in the end
 * both find nothing wrong.
 */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCorpus } from '../support/corpus.ts';
import { full } from '../support/gc-store.ts';
import { startNginx } from '../support/nginx.ts';
import { Nix } from '../support/nix.ts';
import { lines, needs, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import {
  isLossOfNix,
  missingOf,
  type SharedStore,
  SluiceUser,
  StockUser,
  tellLoss,
  type User,
} from '../support/store-users.ts';
import { makeSyntheticObjects } from '../support/synthetic-corpus.ts';

/** Of use, in seconds; SLUICE_SLOW asks for the long one. */
const SECONDS = process.env.SLUICE_SLOW ? 60 : 10;
const SEED = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000);
const PATHS = 300;
const STOCK_USERS = 8;
const SLUICE_USERS = 4;

test(`a store that 12 processes share for ${SECONDS} s, seed ${SEED}`, needs('nix-store', 'nginx'), async (t) => {
  await using scratch = await makeScratch(500);
  const nix = await Nix.open(join(scratch.path, 'home'));
  const objects = await makeSyntheticObjects(join(scratch.path, 'trees'), PATHS, 5);
  // Files that many objects have, for those who link them.
  for (const [index, { location }] of objects.entries()) {
    await writeFile(join(location, 'common'), `${index % 7}\n`.repeat(1_000));
  }
  const corpus = await makeCorpus(nix, join(scratch.path, 'corpus'), objects, ['zstd']);
  await using nginx = await startNginx(corpus.directory, join(scratch.path, 'nginx'));
  const [root, roots] = [join(scratch.path, 'shared'), join(scratch.path, 'roots')];
  for (const directory of [join(root, 'nix/store'), roots]) await mkdir(directory, { recursive: true });
  const { publicKey } = corpus;
  const cache = `${nginx.url}/${corpus.cacheName('zstd')}`;
  const shared: SharedStore = { nix, root, roots, cache, publicKey, objects, history: [] };

  const users: readonly User[] = [
    ...Array.from({ length: STOCK_USERS }, (_, user) => new StockUser(shared, `stock-${user}`, SEED + user)),
    ...Array.from({ length: SLUICE_USERS }, (_, user) => new SluiceUser(shared, `sluice-${user}`, SEED + 100 + user)),
  ];
  const until = performance.now() + SECONDS * 1_000;
  await Promise.all(users.map((user) => user.work(until)));
  const lost = users.flatMap(({ log }) => log.lost);
  const [lostByNix, faults] = [true, false].map((byNix) => lost.filter((each) => isLossOfNix(shared, each) === byNix));
  tell(users, (message) => t.diagnostic(message));
  if (lostByNix!.length > 0) t.diagnostic(`stock Nix has collected ${lostByNix!.length} fresh roots of its own`);
  assert.deepEqual(
    faults!.map((each) => tellLoss(shared, each)),
    [],
  );
  assert.deepEqual(
    users.flatMap(({ log }) => log.faults),
    [],
  );

  assert.deepEqual(await nix.problems(root), []);
  const trust = ['--trusted-public-keys', publicKey];
  const verified = await sluice(['verify', '--store', root, ...trust]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  const kept = users.flatMap((user) => [...user.kept.values()]);
  for (const path of kept) assert.deepEqual(await missingOf(shared, path), []);

  // What killed processes left goes when the next one works, or collects.
  const last = objects.at(-1)!.path;
  const realised = await sluice(['realise', '--store', root, '--substituter', cache, ...trust, full(last)]);
  assert.equal(realised.code, 0, realised.stderr);
  assert.deepEqual(await missingOf(shared, last), []);
  assert.equal((await sluice(['gc', '--store', root])).code, 0);
  const valid = lines(await nix.output('nix', 'path-info', '--all', '--store', root));
  const names = await readdir(join(root, 'nix/store'));
  assert.deepEqual(
    names
      .filter((name) => name !== '.links')
      .map((name) => `/nix/store/${name}`)
      .sort(),
    valid.sort(),
  );
  const state = join(root, 'nix/var/nix');
  assert.deepEqual(await readdir(join(state, 'temproots')), []);
  assert.deepEqual(await readdir(join(state, 'gc-socket')), ['socket']);
  assert.deepEqual(await nix.problems(root), []);
});

function tell(users: readonly User[], say: (message: string) => void): void {
  for (const kind of [StockUser, SluiceUser]) {
    const logs = users.filter((user) => user instanceof kind).map(({ log }) => log);
    const count = (of: 'done' | 'killed'): number => logs.reduce((sum, log) => sum + log[of], 0);
    say(`${kind.name}: ${count('done')} processes ended, ${count('killed')} were killed`);
  }
  const notes = users.flatMap(({ log }) => log.notes);
  if (notes.length > 0) say(`stock Nix failed ${notes.length} times:\n${notes.join('\n')}`);
}
