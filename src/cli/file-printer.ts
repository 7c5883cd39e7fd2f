/** Prints one file of a NAR while the NAR passes by. */
import { StoreError } from '../errors.ts';
import { NarParser, type NarVisitor } from '../formats/nar.ts';
import { pathNames } from '../formats/nar-listing.ts';
import type { NarSource } from '../stores/store.ts';
import type { Output } from './command.ts';
import { notThere, toByteString } from './listing.ts';

/**
 * @param path - of the file, from the root of the NAR; empty for the root itself.
 * @param shown - names the NAR in errors.
 * @throws {StoreError} where there is no such file, or something that is none.
 */
export async function printFile(nar: NarSource, path: string, shown: string, stdout: Output): Promise<void> {
  const finder = new FileFinder(
    pathNames(toByteString(path))
      .map((name) => `/${name}`)
      .join(''),
  );
  const parser = new NarParser(finder);
  await nar(async (chunk) => {
    parser.push(chunk);
    for (const bytes of finder.take()) await stdout.write(bytes);
  });
  parser.finish();
  if (finder.found === undefined) throw notThere(shown, path);
  if (finder.found !== 'regular') {
    throw new StoreError(`'${path}' in '${shown}' is a ${finder.found}`, {
      hint: "'sluice ls -l' shows what it holds",
    });
  }
}

/** Picks the contents of one file out of each chunk. */
class FileFinder implements NarVisitor {
  readonly #wanted: string;
  /** Paths of the open directories, outermost first. */
  readonly #directories: string[] = [];
  #isInside = false;
  #picked: Uint8Array[] = [];
  found: 'regular' | 'directory' | 'symlink' | undefined;

  constructor(wanted: string) {
    this.#wanted = wanted;
  }

  /** What the last chunk had of the file: parts of that chunk. */
  take(): Uint8Array[] {
    const picked = this.#picked;
    this.#picked = [];
    return picked;
  }

  enterDirectory(name: string): void {
    const path = this.#at(name);
    if (path === this.#wanted) this.found = 'directory';
    this.#directories.push(path);
  }

  leaveDirectory(): void {
    this.#directories.pop();
  }

  file(name: string): void {
    this.#isInside = this.#at(name) === this.#wanted;
    if (this.#isInside) this.found = 'regular';
  }

  contents(bytes: Uint8Array): void {
    if (this.#isInside) this.#picked.push(bytes);
  }

  endFile(): void {
    this.#isInside = false;
  }

  symlink(name: string): void {
    if (this.#at(name) === this.#wanted) this.found = 'symlink';
  }

  /** The root is the empty path; everything else begins with a slash. */
  #at(name: string): string {
    const directory = this.#directories.at(-1);
    return directory === undefined ? '' : `${directory}/${name}`;
  }
}
