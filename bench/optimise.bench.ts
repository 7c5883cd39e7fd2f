/**
 * Optimising a store of many files, half of which are like others, and once more when there is nothing left to do: the
 * whole command in a process of its own, beside `nix-store --optimise` where that is installed. Each round has a copy
 * of the store in /dev/shm.
 */
import assert from 'node:assert/strict';
import { cpSync, lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSluice, type Comparison, isInstalled, makeHome, makeStore, runCommand, type Side } from './beside-nix.ts';

const PATHS = 60;
const FILES = 1_000;
const SIZES = [0, 200, 3_000, 20_000, 240_000];
const GB = ((PATHS * FILES * SIZES.reduce((sum, size) => sum + size)) / SIZES.length / 1e9).toFixed(1);

const home = makeHome();
const sluice = buildSluice(home);
/** Half of all files are one of a few, the others are like no other. */
const made = await makeStore(home, 'made', PATHS, (dir, path) => {
  for (let file = 0; file < FILES; file++) {
    const text = file % 2 === 0 ? `${file} ` : `${path} ${file} `;
    writeFileSync(join(dir, String(file)), text.padEnd(SIZES[file % SIZES.length]!, text));
  }
});

/** Once with everything to do, and once more with nothing left. */
function sidesOf(name: string, command: readonly string[], root: string): readonly [first: Side, again: Side] {
  const copy = (): void => {
    rmSync(root, { recursive: true, force: true });
    cpSync(made, root, { recursive: true, preserveTimestamps: true });
  };
  const run = (): void => runCommand(command);
  return [
    { name, run, before: copy, after: () => check(root) },
    { name: `${name}, nothing to do`, run },
  ];
}

const [first, second] = [join(home, 'sluice'), join(home, 'nix-store')];
const ours = sidesOf('sluice', [...sluice, 'optimise', '--store', first], first);
const theirs = sidesOf('nix-store', ['nix-store', '--store', second, '--optimise'], second);
const isBeside = isInstalled('nix-store');

export const comparison: Comparison = {
  name: `optimise, ${PATHS * FILES} files, ${GB} GB`,
  rounds: 5,
  pairs: ours.map((side, index) => (isBeside ? [side, theirs[index]!] : [side])),
};

function check(root: string): void {
  const store = join(root, 'nix/store');
  const links = readdirSync(join(store, '.links')).map((name) => lstatSync(join(store, '.links', name)).nlink);
  const files = links.reduce((sum, nlink) => sum + nlink - 1, 0);
  assert.equal(files, PATHS * FILES);
}
