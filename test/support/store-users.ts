/**
 * Processes of both kinds, stock Nix and Sluice, that use one store at random: they make paths valid, keep some by
 * roots, collect, verify and link what is there; some are killed at any moment.
 */
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { StorePath } from '../../src/formats/store-path.ts';
import type { CorpusObject } from './corpus.ts';
import { full } from './gc-store.ts';
import { openTestStore } from './local-store.ts';
import type { Nix } from './nix.ts';
import { MAIN } from './run.ts';
import { seededIntegers } from './synthetic-corpus.ts';

/** A process that takes longer, in milliseconds, hangs. */
const DEADLINE = 120_000;
/** One operation in so many is killed. */
const KILLED = 4;

export interface SharedStore {
  readonly nix: Nix;
  /** Of the chroot store. */
  readonly root: string;
  /** Where roots are. */
  readonly roots: string;
  readonly cache: string;
  readonly publicKey: string;
  /** References first. */
  readonly objects: readonly CorpusObject[];
  /** Filled in. */
  readonly history: Ended[];
}

interface RunOptions {
  /** When it is killed at the latest, where it is, in milliseconds. */
  readonly longest: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** How one process ended. */
export interface Ended {
  readonly command: string;
  readonly isStock: boolean;
  /** As `performance.now()` tells it. */
  readonly started: number;
  readonly ended: number;
  /** Null where it was killed. */
  readonly code: number | null;
  readonly output: string;
}

/** A path that is not whole although a root keeps it. */
export interface Lost {
  readonly link: string;
  readonly path: StorePath;
  readonly missing: readonly string[];
}

/** What one user saw. */
export interface Log {
  /** Operations that were not killed. */
  done: number;
  killed: number;
  readonly lost: Lost[];
  /** What must not happen. */
  readonly faults: string[];
  /** Failures of stock Nix that it has with its own kind, too. */
  readonly notes: string[];
}

/** All that was said of what was lost, by whom, and when. */
export function tellLoss({ history }: SharedStore, { link, path, missing }: Lost): string {
  const told = history.filter(({ output }) => output.includes(path) || output.includes(link));
  const shown = told.map(({ command, started, ended, code, output }) => {
    const times = [started, ended].map((time) => (time / 1_000).toFixed(3)).join(' to ');
    const lines = output.split('\n').filter((line) => line.includes(path) || line.includes(link));
    return [`$ ${command}`, `from ${times} s, ended with ${code}`, ...lines].join('\n');
  });
  return `'${link}' keeps ${path}, but ${missing.join(', ')}\n${shown.join('\n')}`;
}

/**
 * Whether Nix has done that alone: its collector reads permanent roots first and temporary ones a while later, so that
 * it sees neither where a process of Nix makes the one and ends with the other between.
 */
export function isLossOfNix({ history }: SharedStore, { link, path }: Lost): boolean {
  const adding = history.find(({ command, isStock }) => isStock && command.includes(link));
  if (adding === undefined) return false;
  const deleting = history.filter(
    ({ ended, output }) => ended > adding.started && output.includes(`deleting '${full(path)}'`),
  );
  return deleting.length > 0 && deleting.every(({ isStock }) => isStock);
}

/** A path and all that it leads to. */
export function closureOf(objects: readonly CorpusObject[], path: StorePath): ReadonlySet<StorePath> {
  const references = new Map(objects.map((object) => [object.path, object.references]));
  const closure = new Set([path]);
  for (const each of closure) for (const reference of references.get(each) ?? []) closure.add(reference);
  return closure;
}

/** What of a closure is not valid, or not there. */
export async function missingOf({ root, objects }: SharedStore, path: StorePath): Promise<readonly string[]> {
  await using resources = new AsyncDisposableStack();
  const store = await openTestStore(root, resources);
  const closure = [...closureOf(objects, path)];
  const valid = await store.queryValidPaths(closure);
  return closure.flatMap((each) => {
    if (!valid.has(each)) return [`${each} is not valid`];
    return existsSync(store.realPath(each)) ? [] : [`${each} is not there`];
  });
}

/** One who runs one process after another. */
export abstract class User {
  readonly log: Log = { done: 0, killed: 0, lost: [], faults: [], notes: [] };
  /** The paths that its roots keep, by the name of the link. */
  readonly kept: Map<string, StorePath> = new Map();
  protected readonly shared: SharedStore;
  protected readonly below: (limit: number) => number;
  protected readonly name: string;
  #links = 0;

  constructor(shared: SharedStore, name: string, seed: number) {
    this.shared = shared;
    this.below = seededIntegers(seed);
    this.name = name;
  }

  /** Runs operations until the time is up, as `performance.now()` tells it. */
  async work(until: number): Promise<void> {
    while (performance.now() < until) await this.#step();
    await this.#checkRoots();
  }

  async #step(): Promise<void> {
    await this.#checkRoots();
    const [kept] = this.kept.keys();
    if (kept !== undefined && this.below(3) === 0) {
      rmSync(kept);
      this.kept.delete(kept);
    } else if (this.below(3) === 0) {
      const link = join(this.shared.roots, `${this.name}-${this.#links++}`);
      const path = this.path();
      if (await this.keep(path, link)) this.kept.set(link, path);
    } else {
      await this.use();
    }
  }

  /** What a root keeps is there at any time. */
  async #checkRoots(): Promise<void> {
    for (const [link, path] of this.kept) {
      const missing = await missingOf(this.shared, path);
      if (missing.length === 0) continue;
      this.kept.delete(link);
      this.log.lost.push({ link, path, missing });
    }
  }

  /** Makes a path valid and adds a root for it; false where it was killed, or somebody collected the path between. */
  protected abstract keep(path: StorePath, link: string): Promise<boolean>;

  /** Does something else. */
  protected abstract use(): Promise<void>;

  protected path(): StorePath {
    const { objects } = this.shared;
    return objects[this.below(objects.length)]!.path;
  }

  protected one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  protected async run(command: string, args: readonly string[], { longest, env = {} }: RunOptions): Promise<Ended> {
    const kill = this.below(KILLED) === 0 ? this.below(longest) : undefined;
    using child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const started = performance.now();
    using timers = new DisposableStack();
    const killAfter = (milliseconds: number): void => {
      timers.adopt(
        setTimeout(() => child.kill('SIGKILL'), milliseconds),
        clearTimeout,
      );
    };
    if (kill !== undefined) killAfter(kill);
    let hung = false;
    timers.adopt(
      setTimeout(() => {
        hung = true;
        child.kill('SIGKILL');
      }, DEADLINE),
      clearTimeout,
    );
    const closed = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
    const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
    const shown = [command, ...args].join(' ');
    if (hung) this.log.faults.push(`hangs: ${shown}\n${stderr}`);
    this.log[code === null ? 'killed' : 'done']++;
    const isStock = command !== process.execPath;
    const output = stdout + stderr;
    const how: Ended = { command: shown, isStock, started, ended: performance.now(), code, output };
    this.shared.history.push(how);
    return how;
  }
}

/** When a process of Nix has ended, mostly, in milliseconds. */
const STOCK_TIME = 400;

export class StockUser extends User {
  protected override async keep(path: StorePath, link: string): Promise<boolean> {
    const code = await this.#nixStore('-r', full(path), '--add-root', link, '--indirect');
    return code === 0;
  }

  protected override async use(): Promise<void> {
    const { cache, root } = this.shared;
    const operations = [
      () => this.#nixStore('-r', full(this.path())),
      () => this.#nixStore('-r', full(this.path()), full(this.path())),
      () => this.#stock('nix', 'copy', '--from', cache, '--to', root, ...this.#trust(), full(this.path())),
      () => this.#nixStore('--gc'),
      () => this.#nixStore('--gc', '--print-dead'),
      () => this.#nixStore('--optimise'),
    ];
    await this.one(operations)();
  }

  #trust(): string[] {
    const { cache, publicKey } = this.shared;
    const substituters = ['--option', 'substitute', 'true', '--option', 'substituters', cache];
    return [...substituters, '--option', 'trusted-public-keys', publicKey];
  }

  #nixStore(...args: readonly string[]): Promise<number | null> {
    return this.#stock('nix-store', '--store', this.shared.root, ...this.#trust(), ...args);
  }

  async #stock(command: string, ...args: readonly string[]): Promise<number | null> {
    // What it remembers of caches is in a database that several of these find busy.
    const env = { ...this.shared.nix.env, XDG_CACHE_HOME: join(this.shared.roots, '..', this.name) };
    const { command: shown, code, output } = await this.run(command, args, { longest: STOCK_TIME, env });
    if (code !== null && code !== 0) this.log.notes.push(`${shown}: ${output.trim().split('\n').at(-1)}`);
    return code;
  }
}

/** When a process of Sluice has ended, mostly, in milliseconds. */
const SLUICE_TIME = 1_500;

export class SluiceUser extends User {
  protected override async keep(path: StorePath, link: string): Promise<boolean> {
    if ((await this.#realise(path)) !== 0) return false;
    return (await this.#sluice(/is not valid/, 'root', 'add', link, full(path))) === 0;
  }

  protected override async use(): Promise<void> {
    const { cache, root, publicKey } = this.shared;
    const copy = ['copy', '--from', cache, '--to', root, '--trusted-public-keys', publicKey];
    const operations = [
      () => this.#realise(this.path()),
      () => this.#realise(this.path(), this.path()),
      () => this.#run(undefined, ...copy, full(this.path())),
      () => this.#sluice(undefined, 'gc', '--verbose'),
      () => this.#sluice(undefined, 'gc', '--print-dead'),
      () => this.#sluice(undefined, 'optimise'),
      () => this.#sluice(undefined, 'verify', '--trusted-public-keys', publicKey),
    ];
    await this.one(operations)();
  }

  #realise(...paths: readonly StorePath[]): Promise<number | null> {
    const { cache, publicKey } = this.shared;
    const trust = ['--trusted-public-keys', publicKey];
    return this.#sluice(undefined, 'realise', '--substituter', cache, ...trust, ...paths.map(full));
  }

  #sluice(expected: RegExp | undefined, ...args: readonly string[]): Promise<number | null> {
    return this.#run(expected, ...args, '--store', this.shared.root);
  }

  /** @param expected - a failure that others may cause. */
  async #run(expected: RegExp | undefined, ...args: readonly string[]): Promise<number | null> {
    const { command, code, output } = await this.run(process.execPath, [MAIN, ...args], { longest: SLUICE_TIME });
    const isBad = code !== null && code !== 0 && !expected?.test(output);
    if (isBad || /SQLITE_BUSY|database is locked/.test(output)) {
      this.log.faults.push(`${command} ended with ${code}: ${output}`);
    }
    return code;
  }
}
