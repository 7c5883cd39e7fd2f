/**
 * The text that says which paths are valid: what `nix-store --dump-db` prints and `--load-db` reads. A path takes the lines
 * path, NAR hash, NAR size, deriver (or empty), number of references, and one line a reference.
 *
 * Source: Nix 2.35 libstore/store-api.cc, makeValidityRegistration; path-info.cc, decodeValidPathInfo.
 */
import { FormatError } from '../errors.ts';
import { type Hash, parseDigest, printDigest } from './hash.ts';
import { quote } from './quote.ts';
import { parseStorePath, printStorePath, type StoreDir, type StorePath } from './store-path.ts';

/** What the text says of one path. */
export interface Registration {
  readonly path: StorePath;
  /** Of the NAR; sha256. */
  readonly narHash: Hash;
  /** Bytes of the NAR; 0 where they are not known. */
  readonly narSize: number;
  readonly deriver?: StorePath | undefined;
  /** Sorted, each once. */
  readonly references: readonly StorePath[];
}

/** Longest line, in bytes: no store path is as long. */
const MAX_LINE_LENGTH = 8 * 1024;
/** Most references of one path. */
const MAX_REFERENCES = 1_000_000;

/** The lines of one path, each with its newline. */
export function printRegistration(storeDir: StoreDir, registration: Registration): string {
  const { path, narHash, narSize, deriver, references } = registration;
  const print = (each: StorePath): string => printStorePath(storeDir, each);
  const maker = deriver === undefined ? '' : print(deriver);
  const lines = [
    print(path),
    printDigest(narHash, 'base16'),
    narSize,
    maker,
    references.length,
    ...references.map(print),
  ];
  return `${lines.join('\n')}\n`;
}

/** Reads the text as it comes, in pieces of any size. */
export class RegistrationParser {
  readonly #storeDir: StoreDir;
  readonly #onPath: (registration: Registration) => void;
  /** Before the line that is being read. */
  #offset = 0;
  #rest = '';
  /** Of the path that is being read. */
  #lines: string[] = [];
  /** Undefined as long as their line has not come. */
  #references: number | undefined;

  /** @param onPath - called once a path, in the order of the text. */
  constructor(storeDir: StoreDir, onPath: (registration: Registration) => void) {
    this.#storeDir = storeDir;
    this.#onPath = onPath;
  }

  /** @throws {FormatError} on a line that is not what its place wants. */
  push(bytes: Uint8Array): void {
    const lines = (this.#rest + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')).split(
      '\n',
    );
    this.#rest = lines.pop()!;
    for (const line of lines) {
      this.#line(line);
      this.#offset += line.length + 1;
    }
    if (this.#rest.length > MAX_LINE_LENGTH) throw this.#broken(`a line is longer than ${MAX_LINE_LENGTH} bytes`);
  }

  /** @throws {FormatError} where the text ends within a path. */
  finish(): void {
    if (this.#rest !== '' || this.#lines.length > 0) throw this.#broken('the text ends within a path');
  }

  #line(line: string): void {
    const index = this.#lines.push(line) - 1;
    if (index === 4) this.#references = this.#number(line, MAX_REFERENCES);
    if (this.#references === undefined || index < 4 + this.#references) return;
    const registration = this.#registration(this.#lines);
    this.#lines = [];
    this.#references = undefined;
    this.#onPath(registration);
  }

  #registration([path, hash, size, deriver, , ...references]: readonly string[]): Registration {
    try {
      return {
        path: parseStorePath(this.#storeDir, path!),
        narHash: parseDigest('sha256', hash!),
        narSize: this.#number(size!, Number.MAX_SAFE_INTEGER),
        deriver: deriver === '' ? undefined : parseStorePath(this.#storeDir, deriver!),
        references: [...new Set(references.map((each) => parseStorePath(this.#storeDir, each)))].sort(),
      };
    } catch (cause) {
      if (!(cause instanceof FormatError) || cause.format === FORMAT) throw cause;
      throw this.#broken(`${cause.message}, for the path that ends here`, cause);
    }
  }

  #number(line: string, most: number): number {
    const number = /^\d{1,16}$/.test(line) ? Number(line) : Number.NaN;
    if (number <= most) return number;
    throw this.#broken(`wanted a number up to ${most}, got ${quote(line)}`);
  }

  #broken(problem: string, cause?: unknown): FormatError {
    return new FormatError(FORMAT, this.#offset, problem, { cause });
  }
}

const FORMAT = 'registration';
