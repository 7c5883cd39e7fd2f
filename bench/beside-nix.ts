/** For benchmarks of whole commands beside those of stock Nix: where they work, what they see, and a store for them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseStoreReference } from '../src/formats/store-reference.ts';
import { makeSettings } from '../src/settings.ts';
import { openLocalStore } from '../src/stores/local-store.ts';

const CHECKOUT = join(import.meta.dirname, '..');

/** As the store has it: settings of the machine would make a difference. */
const ENVIRONMENT = {
  ...process.env,
  NIX_CONF_DIR: '/no-such-directory',
  NIX_USER_CONF_FILES: '',
  NIX_CONFIG: 'build-users-group =',
};

/** A directory in memory, where there is some, that is removed when the process ends. */
export function makeHome(): string {
  const home = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'sluice-bench-'));
  process.on('exit', () => rmSync(home, { recursive: true, force: true }));
  return home;
}

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

/**
 * Builds Sluice into a directory, as it is published: from the sources it starts 0.1 s later.
 *
 * @returns the command line, as the first words of a command.
 */
export function buildSluice(home: string): readonly string[] {
  const { status, stderr } = spawnSync(process.execPath, ['build.ts', join(home, 'dist')], { cwd: CHECKOUT });
  assert.equal(status, 0, String(stderr));
  copyFileSync(join(CHECKOUT, 'package.json'), join(home, 'package.json'));
  symlinkSync(join(CHECKOUT, 'node_modules'), join(home, 'node_modules'));
  return [process.execPath, '--max-semi-space-size=4', join(home, 'dist/src/cli/main.js')];
}

/** Runs a command to its end, which must be a good one. */
export function runCommand([program, ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(program!, args, { env: ENVIRONMENT });
  assert.equal(status, 0, String(stderr));
}

/**
 * Makes a store at `home/NAME` of directories full of files.
 *
 * @param fill - writes the files of one path into a directory.
 * @returns its root.
 */
export async function makeStore(
  home: string,
  name: string,
  paths: number,
  fill: (dir: string, path: number) => void,
): Promise<string> {
  const root = join(home, name);
  await using store = await openLocalStore(parseStoreReference(root), makeSettings({ fsyncStorePaths: false }));
  const tree = join(home, 'tree');
  for (let path = 0; path < paths; path++) {
    mkdirSync(tree);
    fill(tree, path);
    await store.addPath(tree, { name: `tree-${path}` });
    rmSync(tree, { recursive: true });
  }
  return root;
}
