/**
 * Collection of garbage: every path of a store is dead. Each round makes a store of its own in /dev/shm. Beside it stock
 * Nix collects another that is the same, where it is installed; both as processes of their own, from start to end.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashBytes } from '../src/formats/hash.ts';
import { makeStorePath, parseStoreDir } from '../src/formats/store-path.ts';
import { parseStoreReference } from '../src/formats/store-reference.ts';
import { makeSettings } from '../src/settings.ts';
import { openLocalStore } from '../src/stores/local-store.ts';
import { Nix, nixMissing } from '../test/support/nix.ts';
import { output, sluice } from '../test/support/run.ts';
import type { Comparison, Side } from './beside-nix.ts';

const PATHS = 20_000;
const REFERENCES = 4;
const storeDir = parseStoreDir('/nix/store');
const names = Array.from({ length: PATHS }, (_, id) =>
  makeStorePath(storeDir, 'source', hashBytes('sha256', String(id)), `path-${id}`),
);
const parent = process.platform === 'linux' ? '/dev/shm' : tmpdir();
const dir = mkdtempSync(join(parent, 'sluice-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const source = join(dir, 'source');

/** Paths of four files in two directories each. */
async function makeStore(): Promise<void> {
  const settings = makeSettings({ fsyncStorePaths: false });
  await using store = await openLocalStore(parseStoreReference(source), settings);
  await using staging = await store.openStaging();
  const batch = names.map((path, id) => {
    const location = join(staging.dir, path);
    mkdirSync(join(location, 'bin'), { recursive: true });
    for (const name of ['bin/tool', 'bin/other', 'readme', 'licence']) writeFileSync(join(location, name), path);
    const count = Math.min(id, REFERENCES);
    const references = new Set(Array.from({ length: count }, (_, nth) => names[((id * 7919) >> nth) % id]!));
    const narHash = hashBytes('sha256', path);
    return { info: { path, narHash, narSize: 1_000, references: [...references].sort(), signatures: [] }, location };
  });
  const outcomes = await store.registerStaged(batch);
  assert.ok(outcomes.every(({ state }) => state === 'registered'));
}

await makeStore();
const nix = await Nix.open(join(dir, 'home'));
const round = join(dir, 'round');
const all = new RegExp(`^${PATHS} store paths deleted`);

/** @param collect - what it prints must be right: never time a wrong answer. */
function side(name: string, collect: () => Promise<string>): Side {
  return {
    name,
    before: () => cpSync(source, round, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true }),
    run: async () => assert.match(await collect(), all),
    after: () => rmSync(round, { recursive: true }),
  };
}

const ours = side('sluice gc', async () => (await sluice(['gc', '--quiet', '--store', round])).stdout);
const theirs = side('nix-store --gc', () =>
  output('nix-store', ['--store', round, '--gc', '--quiet'], { env: nix.env }),
);

export const comparison: Comparison = {
  name: `garbage collection of ${PATHS} paths of 4 files with ${REFERENCES} references each`,
  rounds: 3,
  pairs: [nixMissing ? [ours] : [ours, theirs]],
};
