/** Questions about single paths that are asked at the same time become one: a round trip for all of them. */
import type { PathInfo } from '../../formats/path-info.ts';
import type { StorePath } from '../../formats/store-path.ts';
import type { QueryOptions } from '../store.ts';

/** Paths in one question. */
const MAX_BATCH = 500;

export type AskAll = (paths: readonly StorePath[], options: QueryOptions) => Promise<Map<StorePath, PathInfo>>;

interface Waiting {
  readonly path: StorePath;
  readonly resolve: (info: PathInfo | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class InfoBatches {
  readonly #askAll: AskAll;
  /** How many questions may be under way. */
  readonly #limit: number;
  #waiting: Waiting[] = [];
  #underWay = 0;
  #scheduled = false;
  /** Whether one of those who wait has somebody else to ask. */
  #impatient = false;

  constructor(askAll: AskAll, limit: number) {
    this.#askAll = askAll;
    this.#limit = limit;
  }

  /** @throws what the whole question ended with; the reason of the signal, which ends nothing for the others. */
  async ask(path: StorePath, { signal, impatient = false }: QueryOptions = {}): Promise<PathInfo | undefined> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<PathInfo | undefined>();
    using cleanup = new DisposableStack();
    const leave = (): void => reject(signal!.reason);
    signal?.addEventListener('abort', leave, { once: true });
    cleanup.defer(() => signal?.removeEventListener('abort', leave));
    this.#waiting.push({ path, resolve, reject });
    this.#impatient ||= impatient;
    this.#schedule();
    return await promise;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0 || this.#underWay >= this.#limit) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      void this.#askNext();
    });
  }

  async #askNext(): Promise<void> {
    const batch = this.#waiting.splice(0, MAX_BATCH);
    const options = { impatient: this.#impatient };
    this.#impatient = false;
    this.#underWay++;
    this.#schedule();
    try {
      const infos = await this.#askAll([...new Set(batch.map(({ path }) => path))], options);
      for (const { path, resolve } of batch) resolve(infos.get(path));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.#underWay--;
    this.#schedule();
  }
}
