/** Questions about narinfos: all of one turn of the event loop are answered by one statement a cache. */
import type { CacheKey, NarInfoDatabase } from './database.ts';
import type { NarInfoFile } from './file.ts';
import type { Remembered } from './remembered-cache.ts';

/** Questions that are answered at once: a few milliseconds. */
const BATCH = 500;

type Answer = Remembered<string | undefined> | undefined;

interface Question {
  readonly cache: CacheKey;
  readonly hashPart: string;
  readonly resolve: (answer: Answer) => void;
}

export class Lookups implements Disposable {
  readonly #file: NarInfoFile;
  readonly #questions: Question[] = [];
  #next: NodeJS.Immediate | undefined;

  constructor(file: NarInfoFile) {
    this.#file = file;
  }

  async ask(cache: CacheKey, hashPart: string): Promise<Answer> {
    if (!this.#file.mayHaveContents) return undefined;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#questions.push({ cache, hashPart, resolve });
    this.#next ??= setImmediate(() => this.#answer());
    return await promise;
  }

  /** To those who still wait nothing is known. */
  [Symbol.dispose](): void {
    clearImmediate(this.#next);
    for (const { resolve } of this.#questions.splice(0)) resolve(undefined);
  }

  #answer(): void {
    const batch = this.#questions.splice(0, BATCH);
    this.#next = this.#questions.length === 0 ? undefined : setImmediate(() => this.#answer());
    const answers = this.#file.attempt((database) => lookUp(database, batch))?.value;
    for (const { cache, hashPart, resolve } of batch) resolve(answers?.get(cache)?.get(hashPart));
  }
}

function lookUp(
  database: NarInfoDatabase,
  questions: readonly Question[],
): ReadonlyMap<CacheKey, ReadonlyMap<string, Remembered<string | undefined>>> {
  const groups = [...Map.groupBy(questions, ({ cache }) => cache)];
  return database.transaction(() => {
    const answered = groups.map(([cache, group]) => {
      const hashParts = group.map(({ hashPart }) => hashPart);
      return [cache, database.narInfos(cache, hashParts)] as const;
    });
    return new Map(answered);
  });
}
