/**
 * One string for each store path. The same path comes from the narinfos of all that refer to it, as a piece of each text;
 * maps and sets compare such pieces character by character, ten times as slowly as they see that two are one.
 */
import type { StorePath } from '../../formats/store-path.ts';

/** More are forgotten all at once. */
const MOST = 65_536;

export class UniquePaths {
  readonly #paths = new Map<StorePath, StorePath>();

  /** The string that was seen first. */
  of(path: StorePath): StorePath {
    const known = this.#paths.get(path);
    if (known !== undefined) return known;
    if (this.#paths.size >= MOST) this.#paths.clear();
    this.#paths.set(path, path);
    return path;
  }
}
