/**
 * Makes what is imported valid: in the order of the stream, in batches, one at a time while the next one fills up.
 */
import type { StorePath } from '../../formats/store-path.ts';
import type { LocalStore } from '../local-store.ts';
import { removeTree } from '../remove-tree.ts';
import type { StagedPath } from '../staged-path.ts';
import type { ImportOptions } from './import-paths.ts';

/**
 * A batch is full with any of these. Each costs one flush of the file system and one transaction; all of it is in
 * memory, and until then its contents take their room twice where the store has them already.
 */
const FULL = { paths: 512, references: 8_192, narSize: 512 * 2 ** 20 } as const;

export class ImportBatches implements AsyncDisposable {
  readonly #store: LocalStore;
  readonly #options: ImportOptions;
  #batch = new Map<StorePath, StagedPath>();
  /** File names of what came again after it had come in the same batch. */
  #again: string[] = [];
  #references = 0;
  #narSize = 0;
  /** The registration that is under way, or the last one. */
  #running: Promise<void> = Promise.resolve();

  constructor(store: LocalStore, options: ImportOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Done when nothing is under way any more: what waits here must not be removed before. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.catch(() => {});
  }

  /** One more; {@link ImportBatches.makeRoom} is to be awaited before many more. */
  add(staged: StagedPath): void {
    const { path } = staged.info;
    if (this.#batch.has(path)) this.#again.push(staged.location);
    else this.#batch.set(path, staged);
    this.#references += staged.info.references.length;
    this.#narSize += staged.info.narSize;
  }

  /** Where a batch is full, waits for the one before it. @throws what made a registration fail. */
  async makeRoom(): Promise<void> {
    const { paths, references, narSize } = FULL;
    if (this.#batch.size + this.#again.length < paths && this.#references < references && this.#narSize < narSize)
      return;
    await this.#startNext();
  }

  /** Makes the rest valid. @throws what made a registration fail. */
  async finish(): Promise<void> {
    await this.#startNext();
    await this.#running;
  }

  async #startNext(): Promise<void> {
    await this.#running;
    this.#running = this.#register([...this.#batch.values()], this.#again);
    [this.#batch, this.#again, this.#references, this.#narSize] = [new Map(), [], 0, 0];
    this.#running.catch(() => {}); // whoever waits for it next is told
  }

  async #register(batch: readonly StagedPath[], again: readonly string[]): Promise<void> {
    for (const location of again) await removeTree(location);
    const { signal, onImported } = this.#options;
    const outcomes = await this.#store.registerStaged(batch, { signal });
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.state === 'failed') throw outcome.error;
      const wasValid = outcome.state === 'alreadyValid';
      if (wasValid) await removeTree(batch[index]!.location);
      onImported?.({ path: outcome.path, wasValid });
    }
  }
}
