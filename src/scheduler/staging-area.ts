/** The staging directory of a scheduler, made when the first needs it. */
import { rmdirSync } from 'node:fs';
import type { LocalStore } from '../stores/local-store.ts';
import { removeTree } from '../stores/remove-tree.ts';
import type { Staging } from '../stores/staging.ts';

/** Disposing removes it. */
export class StagingArea implements AsyncDisposable {
  readonly #store: Pick<LocalStore, 'openStaging'>;
  #staging: Promise<Staging> | undefined;
  #names = 0;
  readonly #removing = new Set<Promise<unknown>>();

  constructor(store: Pick<LocalStore, 'openStaging'>) {
    this.#store = store;
  }

  /** A file name in the directory that nothing else uses. */
  async location(name: string): Promise<string> {
    this.#staging ??= this.#store.openStaging();
    const { dir } = await this.#staging;
    return `${dir}/${this.#names++}-${name}`;
  }

  /** Removes what lies at a location; nobody waits for that, and where it fails, it goes with the directory. */
  removeLater(location: string): void {
    if (removesEmpty(location)) return;
    const removed: Promise<unknown> = removeTree(location)
      .catch(() => {})
      .then(() => this.#removing.delete(removed));
    this.#removing.add(removed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#removing);
    const staging = await this.#staging?.catch(() => undefined);
    await staging?.[Symbol.asyncDispose]();
  }
}

/** Most are empty by then, which is done sooner than a thread has heard of it. */
function removesEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}
