/**
 * Verifying the contents of a store whose files are in memory: the whole command in a process of its own, beside
 * `nix-store --verify --check-contents` where that is installed. Run it on a machine that has nothing else to do.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench } from 'tinybench';
import { parseStoreReference } from '../src/formats/store-reference.ts';
import { makeSettings } from '../src/settings.ts';
import { openLocalStore } from '../src/stores/local-store.ts';

const PATHS = 200;
/** Of the files of each path, in bytes: about as in a store of programs. */
const SIZES = [0, 200, 200, 900, 3_000, 3_000, 8_000, 20_000, 60_000, 250_000, 1_000_000, 4_000_000];
const MIB = Math.round((PATHS * SIZES.reduce((sum, size) => sum + size)) / 2 ** 20);
const MAIN = join(import.meta.dirname, '../src/cli/main.ts');
/** As the store has it: settings of the machine would make a difference. */
const ENVIRONMENT = {
  ...process.env,
  NIX_CONF_DIR: '/no-such-directory',
  NIX_USER_CONF_FILES: '',
  NIX_CONFIG: 'build-users-group =',
};

const parent = process.platform === 'linux' ? '/dev/shm' : tmpdir();
const home = mkdtempSync(join(parent, 'sluice-bench-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
const root = join(home, 'store');
await makeStore();

const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  sluice: [process.execPath, MAIN, 'verify', '--no-trust', '--store', root],
  'nix-store': ['nix-store', '--store', root, '--verify', '--check-contents'],
};

export const bench: Bench = new Bench({
  name: `verify, ${MIB} MiB in ${PATHS} paths`,
  iterations: 5,
  time: 0,
  warmup: false,
});

for (const [name, [program, ...args]] of Object.entries(PROGRAMS)) {
  if (spawnSync(program!, ['--version']).status !== 0) continue;
  bench.add(name, () => {
    const { status, stderr } = spawnSync(program!, args, { env: ENVIRONMENT });
    assert.equal(status, 0, String(stderr));
  });
}

async function makeStore(): Promise<void> {
  await using store = await openLocalStore(parseStoreReference(root), makeSettings({ fsyncStorePaths: false }));
  const tree = join(home, 'tree');
  for (let path = 0; path < PATHS; path++) {
    mkdirSync(tree);
    for (const [index, size] of SIZES.entries()) {
      writeFileSync(join(tree, String(index)), randomFillSync(Buffer.alloc(size)));
    }
    await store.addPath(tree, { name: `tree-${path}` });
    rmSync(tree, { recursive: true });
  }
}
