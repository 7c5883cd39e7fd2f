/**
 * The derivations that goals work with: each is read and parsed once, a few milliseconds at a time, so that thousands of
 * them do not keep the event loop.
 */
import { setImmediate } from 'node:timers/promises';
import { parseDerivation } from '../formats/derivation.ts';
import { derivationName } from '../formats/derivation-hash.ts';
import { parseDerivationOptions } from '../formats/derivation-options.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { ReadDerivation } from '../goals/derivation-context.ts';
import { readDerivationFile } from '../stores/derivation-file.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { SLICE } from './slice.ts';

export class Derivations {
  readonly #store: Pick<LocalStore, 'realPath' | 'storeDir'>;
  readonly #known = new Map<StorePath, Promise<ReadDerivation>>();
  readonly #queue: (() => void)[] = [];
  #reading = false;

  constructor(store: Pick<LocalStore, 'realPath' | 'storeDir'>) {
    this.#store = store;
  }

  /** @throws {FormatError} on what is no derivation that can be built; {@link StoreError} where it cannot be read. */
  read(drvPath: StorePath): Promise<ReadDerivation> {
    const known = this.#known.get(drvPath);
    if (known !== undefined) return known;
    const { promise, resolve, reject } = Promise.withResolvers<ReadDerivation>();
    this.#known.set(drvPath, promise);
    this.#queue.push(() => {
      try {
        resolve(this.#readNow(drvPath));
      } catch (error) {
        reject(error);
      }
    });
    if (!this.#reading) void this.#readAll();
    return promise;
  }

  /** Forgets them all. */
  clear(): void {
    this.#known.clear();
  }

  #readNow(drvPath: StorePath): ReadDerivation {
    const { storeDir } = this.#store;
    const bytes = readDerivationFile(this.#store.realPath(drvPath));
    const derivation = parseDerivation(storeDir, derivationName(drvPath), bytes);
    return { derivation, options: parseDerivationOptions(storeDir, derivation) };
  }

  async #readAll(): Promise<void> {
    this.#reading = true;
    while (this.#queue.length > 0) {
      await setImmediate(); // whoever asks in the same turn waits for this one, too
      let started = performance.now();
      for (const read of this.#queue.splice(0)) {
        if (performance.now() - started >= SLICE) {
          await setImmediate();
          started = performance.now();
        }
        read();
      }
    }
    this.#reading = false;
  }
}
