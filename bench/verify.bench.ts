/**
 * Verifying the contents of a store whose files are in memory: the whole command in a process of its own, beside
 * `nix-store --verify --check-contents` where that is installed. Run it on a machine that has nothing else to do.
 */
import { randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSluice, type Comparison, isInstalled, makeHome, makeStore, runCommand } from './beside-nix.ts';

const PATHS = 330;
const SMALL = [0, 200, 200, 900, 3_000, 3_000, 8_000, 20_000, 60_000, 250_000];
/** Of the files of each path, in bytes: about as in a store of programs. */
const SIZES = [1_000_000, 4_000_000, ...Array.from({ length: 12 }, () => SMALL).flat()];
const MIB = Math.round((PATHS * SIZES.reduce((sum, size) => sum + size)) / 2 ** 20);

const home = makeHome();
const root = await makeStore(home, 'store', PATHS, (dir) => {
  for (const [index, size] of SIZES.entries())
    writeFileSync(join(dir, String(index)), randomFillSync(Buffer.alloc(size)));
});

const sluice = [...buildSluice(home), 'verify', '--no-trust', '--store', root];
const nix = ['nix-store', '--store', root, '--verify', '--check-contents'];
const ours = { name: 'sluice', run: () => runCommand(sluice) };
const theirs = { name: 'nix-store', run: () => runCommand(nix) };

export const comparison: Comparison = {
  name: `verify, ${MIB} MiB in ${PATHS * SIZES.length} files`,
  rounds: 5,
  pairs: [isInstalled('nix-store') ? [ours, theirs] : [ours]],
};
