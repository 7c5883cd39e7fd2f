/**
 * The stream of `nix-store --export`: store objects one after the other, each with what a store has to know of it.
 *
 *     1                          a number: one more object
 *     NAR
 *     0x4558494e                 a number: NIXE, read backwards
 *     path                       strings, with the store directory
 *     n, n references
 *     deriver                    empty where it is not known
 *     0                          or 1 and a signature of a kind that nobody checks any more
 *     …
 *     0                          the end
 *
 * Numbers have eight bytes, strings a number before them and zeros up to the next multiple of eight behind, as in a NAR.
 *
 * Source: Nix 2.35 libstore/export-import.cc.
 */
import { FormatError } from '../errors.ts';
import { padded } from './nar.ts';
import { integer, token } from './nar-writer.ts';
import { parseStorePath, printStorePath, type StoreDir, type StorePath } from './store-path.ts';

/** What the stream says of an object besides its contents. */
export interface ExportedPath {
  readonly path: StorePath;
  /** Sorted, each once; may hold `path` itself. */
  readonly references: readonly StorePath[];
  readonly deriver?: StorePath | undefined;
}

/** Reads one archive, such as a {@link NarParser}. */
export interface NarReader {
  /** Whether the archive is complete. */
  readonly ended: boolean;
  /** @returns how many bytes of the chunk belong to the archive: not all only where it has ended. */
  take(chunk: Uint8Array): number;
}

/** Hears what a stream holds, in its order. What it throws comes out of {@link ExportParser.push}. */
export interface ExportVisitor {
  /** An object begins; whose it is comes after its contents. */
  startNar(): NarReader;
  /** The object is complete. */
  endPath(exported: ExportedPath): void;
}

/** Comes before each object's NAR. */
export const EXPORT_NEXT: Uint8Array = latin1(integer(1));
/** Ends the stream. */
export const EXPORT_END: Uint8Array = latin1(integer(0));

const MAGIC = 0x4558494e;
/** In bytes: a store directory as long as a file name can be, and a name; signatures are shorter. */
const MAX_STRING_LENGTH = 4096 + 256;
/** More than any object has; all of one are in memory at once. */
const MAX_REFERENCES = 65_536;

/** Follows an object's NAR. */
export function printExported(storeDir: StoreDir, { path, references, deriver }: ExportedPath): Uint8Array {
  const print = (each: StorePath): string => string(printStorePath(storeDir, each));
  const all = [
    integer(MAGIC),
    print(path),
    integer(references.length),
    ...references.map(print),
    deriver === undefined ? string('') : print(deriver),
    integer(0),
  ];
  return latin1(all.join(''));
}

type State = 'next' | 'nar' | 'magic' | 'path' | 'count' | 'reference' | 'deriver' | 'signed' | 'signature' | 'end';

const STRINGS: ReadonlySet<State> = new Set<State>(['path', 'reference', 'deriver', 'signature']);

/** An incremental push parser. It holds one object's references, and nothing of the contents. */
export class ExportParser {
  readonly #storeDir: StoreDir;
  readonly #visitor: ExportVisitor;
  #state: State = 'next';
  /** Bytes before the chunk at hand. */
  #offset = 0;
  readonly #token: Buffer = Buffer.allocUnsafe(8 + padded(MAX_STRING_LENGTH));
  /** Bytes of the token that have come, and that it takes as far as is known. */
  #have = 0;
  #need = 8;
  /** Where the token starts, for errors. */
  #start = 0;
  #nar: NarReader | undefined;
  #path: StorePath | undefined;
  #references: StorePath[] = [];
  /** References still to come. */
  #expected = 0;
  #deriver: StorePath | undefined;

  constructor(storeDir: StoreDir, visitor: ExportVisitor) {
    this.#storeDir = storeDir;
    this.#visitor = visitor;
  }

  /** Whether the stream is complete. */
  get ended(): boolean {
    return this.#state === 'end';
  }

  /**
   * @returns how many bytes of the chunk belong to the stream: not all only where it has ended.
   * @throws {FormatError} at the first token that cannot be part of a stream; the parser is of no use after that.
   */
  push(chunk: Uint8Array): number {
    let position = 0;
    while (position < chunk.length && this.#state !== 'end') {
      const rest = chunk.subarray(position);
      const taken = this.#state === 'nar' ? this.#takeNar(rest) : this.#takeToken(rest);
      position += taken;
      this.#offset += taken;
      if (this.#state !== 'nar' && this.#have === this.#need) this.#endToken();
    }
    return position;
  }

  /** @throws {FormatError} where the stream is not complete. */
  finish(): void {
    if (this.#state !== 'end') throw new FormatError('export stream', this.#offset, 'the stream ends early');
  }

  #takeNar(chunk: Uint8Array): number {
    const taken = this.#nar!.take(chunk);
    if (this.#nar!.ended) {
      this.#nar = undefined;
      this.#state = 'magic';
    }
    return taken;
  }

  #takeToken(chunk: Uint8Array): number {
    const bytes = chunk.subarray(0, this.#need - this.#have);
    this.#token.set(bytes, this.#have);
    this.#have += bytes.length;
    return bytes.length;
  }

  /** All that was asked for is there: a number, a string's length, or a string. */
  #endToken(): void {
    this.#start = this.#offset - this.#have;
    const value = this.#token.readUInt32LE(0) + this.#token.readUInt32LE(4) * 2 ** 32;
    if (!STRINGS.has(this.#state)) {
      this.#have = 0;
      this.#number(value);
      return;
    }
    if (value > MAX_STRING_LENGTH) {
      throw this.#error(`a string of ${value} bytes, the most here is ${MAX_STRING_LENGTH}`);
    }
    this.#need = 8 + padded(value);
    if (this.#have < this.#need) return;
    if (this.#token.subarray(8 + value, this.#need).some((byte) => byte !== 0)) {
      throw this.#error('padding that is not zero');
    }
    const text = this.#token.toString('utf8', 8, 8 + value);
    this.#have = 0;
    this.#need = 8;
    this.#string(text);
  }

  #number(value: number): void {
    switch (this.#state) {
      case 'next':
        if (value > 1) throw this.#error('this is no stream that an export made');
        if (value === 1) this.#nar = this.#visitor.startNar();
        this.#state = value === 1 ? 'nar' : 'end';
        return;
      case 'magic':
        if (value !== MAGIC) throw this.#error('no path follows the archive');
        this.#state = 'path';
        return;
      case 'count':
        if (value > MAX_REFERENCES) throw this.#error(`${value} references, the most here is ${MAX_REFERENCES}`);
        this.#references = [];
        this.#expected = value;
        this.#state = value === 0 ? 'deriver' : 'reference';
        return;
      case 'signed':
        if (value > 1) throw this.#error(`wanted 0, or 1 and a signature, got ${value}`);
        if (value === 1) this.#state = 'signature';
        else this.#endPath();
        return;
      default:
        throw new Error(`unreachable: no number in state ${this.#state}`);
    }
  }

  #string(text: string): void {
    switch (this.#state) {
      case 'path':
        this.#path = parseStorePath(this.#storeDir, text);
        this.#state = 'count';
        return;
      case 'reference':
        this.#references.push(parseStorePath(this.#storeDir, text));
        if (--this.#expected === 0) this.#state = 'deriver';
        return;
      case 'deriver':
        this.#deriver = text === '' ? undefined : parseStorePath(this.#storeDir, text);
        this.#state = 'signed';
        return;
      case 'signature':
        this.#endPath();
        return;
      default:
        throw new Error(`unreachable: no string in state ${this.#state}`);
    }
  }

  #endPath(): void {
    this.#state = 'next';
    const references = [...new Set(this.#references)].sort();
    this.#visitor.endPath({ path: this.#path!, references, deriver: this.#deriver });
  }

  #error(problem: string): FormatError {
    return new FormatError('export stream', this.#start, problem);
  }
}

/** A token for text that need not be ASCII, as a store directory. */
function string(text: string): string {
  return token(Buffer.from(text).toString('latin1'));
}

function latin1(byteString: string): Uint8Array {
  return Buffer.from(byteString, 'latin1');
}
