/** For benchmarks of whole commands beside those of stock Nix: where they work, what they see, and a store for them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
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
  const main = join(home, 'dist/src/cli/main.js');
  const [, flags = ''] = /^#!.* node (.*)$/m.exec(readFileSync(main, 'utf8'))!;
  return [process.execPath, ...flags.split(' '), main];
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

/** One of two programs that do the same. */
export interface Side {
  readonly name: string;
  /** Is timed. */
  readonly run: () => void | Promise<void>;
  readonly before?: (() => void | Promise<void>) | undefined;
  readonly after?: (() => void | Promise<void>) | undefined;
}

/** What is run instead of a bench: pairs of sides, in turns, so that whatever the machine does meanwhile hits both. */
export interface Comparison {
  readonly name: string;
  /** How many times each side is run, unless `SLUICE_BENCH_ROUNDS` says so. */
  readonly rounds: number;
  /** Of one side where the other is not installed. */
  readonly pairs: readonly (readonly [sluice: Side, nix?: Side])[];
}

/** How long each run of a side took, in milliseconds. */
export interface SideTimes {
  readonly name: string;
  readonly milliseconds: readonly number[];
}

/** Runs the sides of a pair in turns; who is first changes from round to round. */
export async function timePair(pair: readonly [Side, Side?], rounds: number): Promise<SideTimes[]> {
  const sides = pair.filter((side) => side !== undefined).map((side) => ({ side, milliseconds: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { side, milliseconds } of round % 2 === 0 ? sides : sides.toReversed()) {
      await side.before?.();
      const started = performance.now();
      await side.run();
      milliseconds.push(performance.now() - started);
      await side.after?.();
    }
  }
  return sides.map(({ side, milliseconds }) => ({ name: side.name, milliseconds }));
}

/** How many times as long as the first side the other took in each round, sorted. */
export function ratiosOf([first, other]: readonly SideTimes[]): number[] {
  if (first === undefined || other === undefined) return [];
  return other.milliseconds.map((time, round) => time / first.milliseconds[round]!).sort((a, b) => a - b);
}

/** Of sorted numbers, the one in the middle, or between the two there. */
export function medianOf(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}
