/**
 * Registration of many staged paths in a local store: locks, renames and database rows. Each round makes a store of its
 * own in /dev/shm; the time is that of `registerStaged` alone.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Bench } from 'tinybench';
import { hashBytes } from '../src/formats/hash.ts';
import { makeStorePath, parseStoreDir } from '../src/formats/store-path.ts';
import { parseStoreReference } from '../src/formats/store-reference.ts';
import { makeSettings } from '../src/settings.ts';
import { type LocalStore, openLocalStore, type StagedPath } from '../src/stores/local-store.ts';
import type { Staging } from '../src/stores/staging.ts';

const PATHS = 2_000;
const REFERENCES = 5;
const storeDir = parseStoreDir('/nix/store');
const names = Array.from({ length: PATHS }, (_, id) =>
  makeStorePath(storeDir, 'source', hashBytes('sha256', String(id)), `path-${id}`),
);
const infos = names.map((path, id) => ({
  path,
  narHash: hashBytes('sha256', path),
  narSize: 400,
  references: Array.from({ length: Math.min(id, REFERENCES) }, (_, nth) => names[((id * 7919) >> nth) % id]!)
    .filter((reference, index, all) => all.indexOf(reference) === index)
    .sort(),
  signatures: [`bench-1:${'A'.repeat(86)}==`],
}));

interface Round {
  readonly resources: AsyncDisposableStack;
  readonly store: LocalStore;
  readonly batch: readonly StagedPath[];
}

async function prepare(fsyncStorePaths: boolean): Promise<Round> {
  const resources = new AsyncDisposableStack();
  const parent = process.platform === 'linux' ? '/dev/shm' : tmpdir();
  const root = resources.adopt(mkdtempSync(join(parent, 'sluice-bench-')), (dir) => rmSync(dir, { recursive: true }));
  const store = resources.use(await openLocalStore(parseStoreReference(root), makeSettings({ fsyncStorePaths })));
  const staging: Staging = resources.use(await store.openStaging());
  const batch = infos.map((info) => {
    const location = join(staging.dir, info.path);
    mkdirSync(location, 0o755);
    writeFileSync(join(location, 'file'), info.path, { mode: 0o444 });
    return { info, location };
  });
  return { resources, store, batch };
}

let round: Round | undefined;
const eachRound = (fsyncStorePaths: boolean) => ({
  beforeEach: async () => {
    round = await prepare(fsyncStorePaths);
  },
  afterEach: () => round!.resources.disposeAsync(),
});

// Never time a wrong answer, and say how long the event loop was held.
const first = await prepare(true);
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const outcomes = await first.store.registerStaged(first.batch);
delay.disable();
assert.ok(outcomes.every(({ state }) => state === 'registered'));
assert.equal((await first.store.queryAllValidPaths()).length, PATHS);
await first.resources.disposeAsync();
const held = `event loop held for at most ${Math.round(delay.max / 1e6)} ms`;

export const bench: Bench = new Bench({
  name: `registration of ${PATHS} paths with ${REFERENCES} references each; ${held}`,
  iterations: 10,
  time: 0,
  warmupIterations: 2,
  warmupTime: 0,
})
  .add('registerStaged', async () => round!.store.registerStaged(round!.batch), eachRound(true))
  .add(
    'registerStaged, fsync-store-paths = false',
    async () => round!.store.registerStaged(round!.batch),
    eachRound(false),
  );
