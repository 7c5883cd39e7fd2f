/**
 * The file in which narinfos are remembered, opened when it is first needed. Whatever is wrong with it is no failure:
 * what is broken is made anew, once; what is busy is tried again by the next one who comes; what cannot be used is left
 * alone from then on.
 */
import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory } from '../make-directory.ts';
import { NarInfoDatabase } from './database.ts';

/** The oldest narinfos that make room when the file may not grow. */
const ROOM = 1_000;

export class NarInfoFile implements Disposable {
  readonly #file: string;
  readonly #onUnusable: (message: string) => void;
  #database: NarInfoDatabase | undefined;
  #isUsable = true;
  #existed: boolean | undefined;
  #hasBeenRemade = false;

  /** @param onUnusable - called at most once. */
  constructor(file: string, onUnusable: (message: string) => void) {
    this.#file = file;
    this.#onUnusable = onUnusable;
  }

  /** Whether there is any use in trying. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** Whether there may be something in it: where there is no file yet, nobody has to load SQLite to find that out. */
  get mayHaveContents(): boolean {
    if (!this.#isUsable) return false;
    this.#existed ??= existsSync(this.#file);
    return this.#existed;
  }

  /**
   * Runs `action` on the database, which is opened or made for it.
   *
   * @returns undefined where that could not be done, now or at all.
   */
  attempt<T>(action: (database: NarInfoDatabase) => T): { readonly value: T } | undefined {
    if (!this.#isUsable) return undefined;
    try {
      return { value: action(this.#open()) };
    } catch (error) {
      const code = codeOf(error);
      if (isBusy(code)) return undefined;
      if (isBroken(code) && !this.#hasBeenRemade && this.#remove()) return this.attempt(action);
      if (code.startsWith('SQLITE_FULL') && this.#makeRoom()) return undefined;
      this.#giveUp(error);
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#isUsable = false;
    this.#close();
  }

  #open(): NarInfoDatabase {
    if (this.#database === undefined) {
      makeDirectory(dirname(this.#file), 0o700);
      this.#database = NarInfoDatabase.open(this.#file);
      this.#existed = true;
    }
    return this.#database;
  }

  #close(): void {
    const database = this.#database;
    this.#database = undefined;
    database?.[Symbol.dispose]();
  }

  /** The log first: it would be applied to whatever file has the name. */
  #remove(): boolean {
    this.#hasBeenRemade = true;
    try {
      this.#close();
      for (const suffix of ['-wal', '-shm', '']) rmSync(this.#file + suffix, { force: true });
      return true;
    } catch {
      return false;
    }
  }

  #makeRoom(): boolean {
    try {
      const database = this.#database!;
      return database.transaction(() => database.limit(0, ROOM), { writes: true }) > 0;
    } catch {
      return false; // the disk is full, and not only the file
    }
  }

  #giveUp(error: unknown): void {
    this[Symbol.dispose]();
    const problem = error instanceof Error ? error.message : String(error);
    this.#onUnusable(`what binary caches say is not remembered: '${this.#file}' cannot be used: ${problem}`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function isBusy(code: string): boolean {
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED') || code === 'SQLITE_PROTOCOL';
}

/** SQLITE_ERROR is about tables that are not as they were made. */
function isBroken(code: string): boolean {
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || code === 'SQLITE_ERROR';
}
