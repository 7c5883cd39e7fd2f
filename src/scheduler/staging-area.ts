/** The staging directory of a scheduler, made when the first needs it. */
import type { LocalStore } from '../stores/local-store.ts';
import type { Staging } from '../stores/staging.ts';

/** Disposing removes it. */
export class StagingArea implements AsyncDisposable {
  readonly #store: Pick<LocalStore, 'openStaging'>;
  #staging: Promise<Staging> | undefined;
  #names = 0;

  constructor(store: Pick<LocalStore, 'openStaging'>) {
    this.#store = store;
  }

  /** A file name in the directory that nothing else uses. */
  async location(name: string): Promise<string> {
    this.#staging ??= this.#store.openStaging();
    const { dir } = await this.#staging;
    return `${dir}/${this.#names++}-${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const staging = await this.#staging?.catch(() => undefined);
    await staging?.[Symbol.asyncDispose]();
  }
}
