/** Where an output lies, and what errors call the files in it: as they will be in the store. */
import { BuildError } from '../../errors.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { bytePath, printPath } from '../../stores/optimise/byte-path.ts';

export class OutputPlace {
  /** Of the output. */
  readonly name: string;
  readonly path: StorePath;
  /** The same with the store directory. */
  readonly fullPath: string;
  /** Now. */
  readonly location: string;
  /** The same as a byte string, as the file names that come from it. */
  readonly root: string;

  constructor(name: string, path: StorePath, fullPath: string, location: string) {
    this.name = name;
    this.path = path;
    this.fullPath = fullPath;
    this.location = location;
    this.root = bytePath(location);
  }

  /** What a file will be called; `path` is a byte string. */
  print(path: string): string {
    return this.fullPath + printPath(path.slice(this.root.length));
  }

  /**
   * The error that says what is wrong with a file.
   *
   * @param problem - such as `is a socket`.
   * @param path - a byte string; by default the output itself.
   */
  reject(problem: string, path: string = this.root): BuildError {
    return rejected(`'${this.print(path)}' ${problem}`);
  }
}

/** An output that cannot be taken. */
export function rejected(message: string): BuildError {
  return new BuildError(message, { failure: { status: 'outputRejected' } });
}
