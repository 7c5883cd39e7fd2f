/** Asks a local store which paths are valid, all those of one turn of the event loop at once. */
import type { StorePath } from '../formats/store-path.ts';
import type { LocalStore } from '../stores/local-store.ts';

interface Question {
  readonly path: StorePath;
  readonly resolve: (valid: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class ValidPaths {
  readonly #store: Pick<LocalStore, 'addTempRoots' | 'queryValidPaths'>;
  readonly #protect: boolean;
  #questions: Question[] = [];

  /** @param protect - whether what is asked for becomes a temporary root: from then on no collector deletes it. */
  constructor(
    store: Pick<LocalStore, 'addTempRoots' | 'queryValidPaths'>,
    { protect = true }: { readonly protect?: boolean } = {},
  ) {
    this.#store = store;
    this.#protect = protect;
  }

  /** Whether `path` is valid. */
  has(path: StorePath): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    if (this.#questions.length === 0) setImmediate(() => void this.#ask());
    this.#questions.push({ path, resolve, reject });
    return promise;
  }

  async #ask(): Promise<void> {
    const questions = this.#questions;
    this.#questions = [];
    const paths = questions.map(({ path }) => path);
    try {
      // First: a collector that runs now may be about to delete what is valid still.
      if (this.#protect) await this.#store.addTempRoots(paths);
      const valid = await this.#store.queryValidPaths(paths);
      for (const { path, resolve } of questions) resolve(valid.has(path));
    } catch (error) {
      for (const { reject } of questions) reject(error);
    }
  }
}
