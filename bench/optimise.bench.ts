/**
 * Optimising a store of many files, half of which are like others, and once more when there is nothing left to do: the
 * whole command in a process of its own, beside `nix-store --optimise` where that is installed. Each round has a copy
 * of the store in /dev/shm.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench } from 'tinybench';
import { parseStoreReference } from '../src/formats/store-reference.ts';
import { makeSettings } from '../src/settings.ts';
import { openLocalStore } from '../src/stores/local-store.ts';

const PATHS = 60;
const FILES = 1_000;
const SIZES = [0, 200, 3_000, 20_000, 60_000];
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
const made = join(home, 'made');
await makeStore();

const PROGRAMS: Readonly<Record<string, (root: string) => readonly string[]>> = {
  sluice: (root) => [process.execPath, MAIN, 'optimise', '--store', root],
  'nix-store': (root) => ['nix-store', '--store', root, '--optimise'],
};

export const bench: Bench = new Bench({
  name: `optimise, ${PATHS * FILES} files in ${PATHS} paths`,
  iterations: 5,
  time: 0,
  warmup: false,
});

for (const [name, command] of Object.entries(PROGRAMS)) {
  if (spawnSync(name === 'sluice' ? process.execPath : name, ['--version']).status !== 0) continue;
  const root = join(home, name);
  const copy = (): void => {
    rmSync(root, { recursive: true, force: true });
    cpSync(made, root, { recursive: true, preserveTimestamps: true });
  };
  bench
    .add(name, () => optimise(command(root)), { beforeEach: copy, afterEach: () => check(root) })
    .add(`${name}, nothing to do`, () => optimise(command(root)));
}

function optimise([program, ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(program!, args, { env: ENVIRONMENT });
  assert.equal(status, 0, String(stderr));
}

/** Half of all files are one of a few, the others are like no other. */
async function makeStore(): Promise<void> {
  await using store = await openLocalStore(parseStoreReference(made), makeSettings({ fsyncStorePaths: false }));
  const tree = join(home, 'tree');
  for (let path = 0; path < PATHS; path++) {
    mkdirSync(tree);
    for (let file = 0; file < FILES; file++) {
      const text = file % 2 === 0 ? `${file} ` : `${path} ${file} `;
      writeFileSync(join(tree, String(file)), text.padEnd(SIZES[file % SIZES.length]!, text));
    }
    await store.addPath(tree, { name: `tree-${path}` });
    rmSync(tree, { recursive: true });
  }
}

function check(root: string): void {
  const store = join(root, 'nix/store');
  const links = readdirSync(join(store, '.links')).map((name) => lstatSync(join(store, '.links', name)).nlink);
  const files = links.reduce((sum, nlink) => sum + nlink - 1, 0);
  assert.equal(files, PATHS * FILES);
}
