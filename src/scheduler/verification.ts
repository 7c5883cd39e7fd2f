/**
 * One verification of a local store, step by step: rows, existence, links, contents and signatures, repairs. What others
 * collect or repair meanwhile is looked at once more before it counts as wrong.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::verifyStore; nix/verify.cc.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asSluiceError, HashMismatchError, RelayedError, StoreError } from '../errors.ts';
import { printHash } from '../formats/hash.ts';
import type { Reply } from '../pool/messages.ts';
import type { RunOptions, WorkerPool } from '../pool/worker-pool.ts';
import type { Completion, RegisteredPaths } from '../stores/verify/registered-paths.ts';
import { compareContents, type Found, isKnown, missingContents } from './contents.ts';
import { Slots } from './slots.ts';
import { makeBatches } from './verify-batches.ts';
import { findMissing, isThere, unregisterMissing } from './verify-existence.ts';
import type { VerifyOptions, VerifyProblem, VerifyResult } from './verify-problems.ts';
import { parse, type Row, readAllRows, readRows } from './verify-rows.ts';
import { TrustCheck } from './verify-trust.ts';

type Outcome = Reply<'hashPaths'>['outcomes'][number];

/** Use {@link verifyStore}. */
export class Verification {
  readonly #options: VerifyOptions;
  readonly #database: RegisteredPaths;
  readonly #pool: WorkerPool;
  readonly #trust: TrustCheck | undefined;
  readonly #problems: VerifyProblem[] = [];
  readonly #repairs: Promise<void>[] = [];
  readonly #completions: Completion[] = [];
  #done = 0;
  #expected = 0;
  #narBytes = 0;

  constructor(options: VerifyOptions, database: RegisteredPaths, pool: WorkerPool) {
    this.#options = options;
    this.#database = database;
    this.#pool = pool;
    this.#trust = options.trust && new TrustCheck(options.trust);
  }

  async run(): Promise<VerifyResult> {
    const { store, paths, contents, repair, signal } = this.#options;
    signal?.throwIfAborted();
    this.#say('reading the Nix store...');
    const { rows, bad } =
      paths === undefined
        ? await readAllRows(store, this.#database, signal)
        : await readRows(store, this.#database, paths);
    this.#expected = rows.length + bad.length;
    for (const { shown, path, problem } of bad) {
      this.#report({ kind: 'failed', path, shown, problem });
      this.#count();
    }
    const there = await this.#checkExistence(rows);
    if (contents && paths === undefined) await this.#checkLinks();
    await this.#checkPaths(there);
    await Promise.all(this.#repairs);
    signal?.throwIfAborted();
    if (repair !== undefined) await this.#database.complete(this.#completions);
    return { checked: this.#expected, problems: this.#problems };
  }

  /** @returns the rows of those that are there. */
  async #checkExistence(rows: readonly Row[]): Promise<readonly Row[]> {
    const { store, settings, paths, repair, signal } = this.#options;
    const isWhole = paths === undefined;
    this.#say('checking path existence...');
    const { missing, gone } = await findMissing(store, this.#database, rows, isWhole);
    signal?.throwIfAborted();
    const removed =
      isWhole && repair !== undefined
        ? await unregisterMissing(store, settings, this.#database, missing)
        : new Set<Row>();
    for (const row of missing) {
      const { path, shown } = row;
      const problem: VerifyProblem = { kind: 'missing', path, shown, problem: missingContents(shown) };
      if (removed.has(row)) this.#report({ ...problem, remedy: 'unregistered' });
      else this.#found(problem);
      this.#count();
    }
    this.#expected -= gone.size;
    const left = new Set(missing);
    return rows.filter((row) => !left.has(row) && !gone.has(row));
  }

  async #checkLinks(): Promise<void> {
    const { store, signal } = this.#options;
    this.#say('checking link hashes...');
    const linksDir = join(store.realStoreDir, '.links');
    const parts = this.#pool.threads;
    const jobs = Array.from({ length: parts }, (_, part) =>
      this.#pool.run('verifyLinks', { linksDir, part, parts }, { signal, ...this.#tellBytes() }),
    );
    for (const { bad } of await Promise.all(jobs)) {
      for (const link of bad) await this.#foundLink(join(linksDir, link.name), link);
    }
  }

  async #foundLink(file: string, { name, got, message }: Reply<'verifyLinks'>['bad'][number]): Promise<void> {
    const problem =
      got === undefined
        ? new StoreError(`cannot read link '${file}': ${message}`)
        : new HashMismatchError(`link '${file}'`, name, got);
    const found: VerifyProblem = { kind: got === undefined ? 'failed' : 'link', path: undefined, shown: file, problem };
    this.#report(found);
    if (this.#options.repair === undefined) return;
    // Only its name: the paths that share it are repaired when their turn comes.
    try {
      await rm(file, { force: true });
      found.remedy = 'deleted';
    } catch (error) {
      found.failure = asSluiceError(error);
    }
    this.#options.onRemedy?.(found);
  }

  async #checkPaths(rows: readonly Row[]): Promise<void> {
    const { contents, signal } = this.#options;
    if (contents) this.#say('checking store hashes...');
    const slots = new Slots(2 * this.#pool.threads);
    const work = makeBatches(rows, this.#pool.threads).map(async (batch) => {
      using _slot = await slots.acquire(signal);
      if (contents) await this.#checkContents(batch);
      for (const row of batch) {
        signal?.throwIfAborted();
        await this.#checkTrust(row);
        this.#count();
      }
    });
    await Promise.all(work);
  }

  async #checkContents(batch: readonly Row[]): Promise<void> {
    const progress = this.#tellBytes();
    const outcomes = await this.#hash(batch, progress.onProgress);
    progress.onProgress({ narBytes: outcomes.reduce((sum, each) => sum + (each.ok ? each.found.narSize : 0), 0) });
    for (const [index, outcome] of outcomes.entries()) {
      const row = batch[index]!;
      const error = this.#compare(row, outcome);
      if (error !== undefined) await this.#wrong(row, error);
    }
  }

  async #hash(batch: readonly Row[], onProgress?: RunOptions['onProgress']): Promise<readonly Outcome[]> {
    const { store, signal } = this.#options;
    const realPaths = batch.map(({ path }) => store.realPath(path));
    const { outcomes } = await this.#pool.run('hashPaths', { realPaths }, { signal, onProgress });
    return outcomes;
  }

  /** @returns what is wrong, if anything is. */
  #compare(row: Row, outcome: Outcome): unknown {
    try {
      if (!outcome.ok) throw new RelayedError(outcome.error);
      compareContents(row, outcome.found);
      this.#complete(row, outcome.found);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /**
   * The contents of a path are not what they should be, or cannot be read.
   *
   * @param readAgain - the row was read before its contents were, since they were found wrong once already.
   */
  async #wrong(row: Row, error: unknown, readAgain = false): Promise<void> {
    const { store } = this.#options;
    const { path, shown } = row;
    const now = await this.#database.find(shown);
    if (now === undefined) return; // collected
    if (!readAgain || now.id !== row.id) {
      // Somebody may have collected it, made it again or repaired it while it was read.
      const current = parse(store, now);
      if ('problem' in current) return this.#report({ kind: 'failed', ...current });
      const [outcome] = await this.#hash([current]); // alone: by node:crypto, whatever hashed it before
      const wrong = this.#compare(current, outcome!);
      if (wrong !== undefined) await this.#wrong(current, wrong, true);
      return;
    }
    if (!(await isThere(store, row))) {
      this.#found({ kind: 'missing', path, shown, problem: missingContents(shown) });
      return;
    }
    const kind = error instanceof HashMismatchError ? 'modified' : 'failed';
    this.#found({ kind, path, shown, problem: asSluiceError(error) });
  }

  async #checkTrust({ path, shown }: Row): Promise<void> {
    if (this.#trust === undefined) return;
    const { store, signal } = this.#options;
    try {
      const info = await store.queryPathInfo(path, { signal });
      if (info !== undefined) await this.#trust.check(store.storeDir, info);
    } catch (error) {
      signal?.throwIfAborted();
      const problem = asSluiceError(error);
      this.#report({ kind: problem.code === 'ERR_UNTRUSTED' ? 'untrusted' : 'failed', path, shown, problem });
    }
  }

  #complete({ id, narHash, narSize }: Row, found: Found): void {
    if (isKnown(narHash) && narSize !== 0) return;
    this.#completions.push({ id, hash: printHash(found.narHash, 'base16'), narSize: found.narSize });
  }

  /** Contents are wrong: they are repaired where that is asked for. */
  #found(problem: VerifyProblem): void {
    this.#report(problem);
    if (this.#options.repair !== undefined) this.#repairs.push(this.#repair(problem, this.#options.repair));
  }

  async #repair(found: VerifyProblem, repair: NonNullable<VerifyOptions['repair']>): Promise<void> {
    try {
      const result = await repair(found.path!);
      if (result.state === 'succeeded') found.remedy = 'repaired';
      else if (result.state !== 'cancelled') found.failure = result.failure;
    } catch (error) {
      found.failure = asSluiceError(error);
    }
    this.#options.onRemedy?.(found);
  }

  #report(problem: VerifyProblem): void {
    this.#problems.push(problem);
    this.#options.onProblem?.(problem);
  }

  #count(): void {
    this.#done++;
    this.#tell();
  }

  #tell(): void {
    this.#options.onProgress?.({ done: this.#done, expected: this.#expected, narBytes: this.#narBytes });
  }

  /** Counts what a job reads while it runs. */
  #tellBytes(): { readonly onProgress: (progress: { readonly narBytes: number }) => void } {
    let before = 0;
    return {
      onProgress: ({ narBytes }) => {
        this.#narBytes += narBytes - before;
        before = narBytes;
        this.#tell();
      },
    };
  }

  #say(message: string): void {
    this.#options.onMessage?.(message);
  }
}
