/**
 * NAR, the archive of one file system object, as an incremental push parser: the same code serves sockets, files and
 * tests that cut the input at every byte. Strict: what Nix refuses is refused here, and nothing may follow the end.
 *
 * File names and symlink targets are bytes, not text. Here they are *byte strings*: one character a byte (latin1), so
 * that comparing them compares bytes, and plain ASCII reads as itself.
 *
 * Source: Nix 2.35 manual, "Nix Archive (NAR) format"; libutil/archive.cc.
 */
import { FormatError } from '../errors.ts';
import { quote } from './quote.ts';

export const NAR_MAGIC = 'nix-archive-1';
/** Longest file name, in bytes. */
export const MAX_NAME_LENGTH = 255;
/** Longest symlink target, in bytes. */
export const MAX_TARGET_LENGTH = 4095;
/** Deepest nesting of directories. A path of 4095 bytes cannot hold more. */
export const MAX_DEPTH = 2048;

const MAX_TAG_LENGTH = 32;
/** The longest token that is collected whole: its length, a symlink target, the padding. */
const MAX_TOKEN_LENGTH = 8 + MAX_TARGET_LENGTH + 7;

/**
 * Hears what a NAR holds, in its order. `name` is the byte string of the entry in its directory, '' for the root.
 * What it throws comes out of {@link NarParser.push}.
 */
export interface NarVisitor {
  /** The entries that follow belong to this directory, until {@link NarVisitor.leaveDirectory}. */
  enterDirectory(name: string): void;
  leaveDirectory(): void;
  /** `size` bytes follow through {@link NarVisitor.contents}, then {@link NarVisitor.endFile}. */
  file(name: string, executable: boolean, size: number): void;
  /** Some bytes of the file, never none. They belong to the caller again on return. */
  contents(bytes: Uint8Array): void;
  endFile(): void;
  symlink(name: string, target: string): void;
}

type State =
  | 'magic'
  | 'nodeOpen'
  | 'typeKey'
  | 'type'
  | 'fileTag'
  | 'executableValue'
  | 'contentsTag'
  | 'size'
  | 'contents'
  | 'padding'
  | 'fileClose'
  | 'targetKey'
  | 'target'
  | 'symlinkClose'
  | 'entry'
  | 'entryOpen'
  | 'nameKey'
  | 'name'
  | 'nodeKey'
  | 'entryClose'
  | 'end';

export class NarParser {
  readonly #visitor: NarVisitor;
  #state: State = 'magic';
  /** Bytes before the chunk at hand. */
  #offset = 0;
  /** The beginning of a token whose rest has not come yet. */
  readonly #pending: Buffer = Buffer.allocUnsafe(MAX_TOKEN_LENGTH);
  #pendingLength = 0;
  /** Where the current token starts, for errors. */
  #tokenStart = 0;
  /** The last name read in each open directory, outermost first. */
  readonly #names: string[] = [];
  #name = '';
  #executable = false;
  #fileSize = 0;
  /** Bytes of contents or padding still to come. */
  #remaining = 0;

  constructor(visitor: NarVisitor) {
    this.#visitor = visitor;
  }

  /** Whether the archive is complete: only then does {@link NarParser.finish} not throw. */
  get ended(): boolean {
    return this.#state === 'end';
  }

  /** @throws {FormatError} at the first byte that cannot be part of a NAR; the parser is of no use after that. */
  push(chunk: Uint8Array): void {
    if (this.take(chunk) === chunk.length) return;
    this.#tokenStart = this.#offset;
    throw this.#error('bytes follow the end of the archive');
  }

  /**
   * As {@link NarParser.push}, where more than the archive may follow.
   *
   * @returns how many bytes of the chunk belong to the archive: not all only where it has ended.
   */
  take(chunk: Uint8Array): number {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let position = 0;
    while (position < buffer.length && this.#state !== 'end') {
      if (this.#state === 'contents') position = this.#takeContents(buffer, position);
      else if (this.#pendingLength > 0) position = this.#completePending(buffer, position);
      else {
        const next = this.#token(buffer, position, this.#offset + position);
        if (next === undefined) {
          buffer.copy(this.#pending, 0, position);
          this.#pendingLength = buffer.length - position;
          position = buffer.length;
        } else position = next;
      }
    }
    this.#offset += position;
    return position;
  }

  /** @throws {FormatError} where the archive is not complete. */
  finish(): void {
    if (this.#state !== 'end') throw new FormatError('nar', this.#offset, 'the archive ends early');
  }

  #takeContents(buffer: Buffer, position: number): number {
    const end = Math.min(buffer.length, position + this.#remaining);
    this.#visitor.contents(buffer.subarray(position, end));
    this.#remaining -= end - position;
    if (this.#remaining === 0) this.#endContents();
    return end;
  }

  /** Adds to the pending bytes until they are a token; {@link NarParser.#need} says how many that takes. */
  #completePending(buffer: Buffer, position: number): number {
    const pending = this.#pending.subarray(0, this.#pendingLength);
    const wanted = this.#need(pending, this.#offset + position - pending.length) - pending.length;
    const taken = Math.min(wanted, buffer.length - position);
    buffer.copy(this.#pending, this.#pendingLength, position, position + taken);
    this.#pendingLength += taken;
    const token = this.#pending.subarray(0, this.#pendingLength);
    const start = this.#offset + position + taken - token.length;
    if (this.#token(token, 0, start) !== undefined) this.#pendingLength = 0;
    return position + taken;
  }

  /** How many bytes the token that begins with `start` takes, as far as they tell. */
  #need(start: Buffer, offset: number): number {
    if (this.#state === 'padding') return this.#remaining;
    if (this.#state === 'size' || start.length < 8) return 8;
    this.#tokenStart = offset;
    return 8 + padded(this.#length(start, 0, this.#limit()));
  }

  /**
   * Reads one token at `position` of `buffer`, which is byte `offset` of the archive.
   *
   * @returns the position after it, or `undefined` where `buffer` ends within it.
   */
  #token(buffer: Buffer, position: number, offset: number): number | undefined {
    this.#tokenStart = offset;
    const available = buffer.length - position;
    if (this.#state === 'padding') {
      if (available < this.#remaining) return undefined;
      this.#checkPadding(buffer, position, position + this.#remaining);
      this.#state = 'fileClose';
      return position + this.#remaining;
    }
    if (available < 8) return undefined;
    if (this.#state === 'size') {
      this.#startContents(this.#length(buffer, position, Number.MAX_SAFE_INTEGER));
      return position + 8;
    }
    const length = this.#length(buffer, position, this.#limit());
    const end = position + 8 + padded(length);
    if (end > buffer.length) return undefined;
    const text = buffer.toString('latin1', position + 8, position + 8 + length);
    this.#checkPadding(buffer, position + 8 + length, end);
    this.#accept(text);
    return end;
  }

  /** Lets a string token change the state. */
  #accept(text: string): void {
    switch (this.#state) {
      case 'magic':
        this.#expect(text, NAR_MAGIC, 'nodeOpen');
        return;
      case 'nodeOpen':
        this.#expect(text, '(', 'typeKey');
        return;
      case 'typeKey':
        this.#expect(text, 'type', 'type');
        return;
      case 'type':
        this.#startNode(text);
        return;
      case 'fileTag':
        this.#executable = text === 'executable';
        if (this.#executable) this.#state = 'executableValue';
        else this.#expect(text, 'contents', 'size');
        return;
      case 'executableValue':
        this.#expect(text, '', 'contentsTag');
        return;
      case 'contentsTag':
        this.#expect(text, 'contents', 'size');
        return;
      case 'fileClose':
        this.#expect(text, ')', 'end');
        this.#visitor.endFile();
        this.#endNode();
        return;
      case 'targetKey':
        this.#expect(text, 'target', 'target');
        return;
      case 'target':
        if (text === '' || text.includes('\0')) throw this.#error('a symlink target is empty or holds a NUL');
        this.#visitor.symlink(this.#name, text);
        this.#state = 'symlinkClose';
        return;
      case 'symlinkClose':
        this.#expect(text, ')', 'end');
        this.#endNode();
        return;
      case 'entry':
        if (text !== ')') {
          this.#expect(text, 'entry', 'entryOpen');
          return;
        }
        this.#names.pop();
        this.#visitor.leaveDirectory();
        this.#endNode();
        return;
      case 'entryOpen':
        this.#expect(text, '(', 'nameKey');
        return;
      case 'nameKey':
        this.#expect(text, 'name', 'name');
        return;
      case 'name':
        this.#checkName(text);
        this.#name = text;
        this.#names[this.#names.length - 1] = text;
        this.#state = 'nodeKey';
        return;
      case 'nodeKey':
        this.#expect(text, 'node', 'nodeOpen');
        return;
      case 'entryClose':
        this.#expect(text, ')', 'entry');
        return;
      default:
        throw new Error(`unreachable: no string in state ${this.#state}`);
    }
  }

  #startNode(type: string): void {
    switch (type) {
      case 'regular':
        this.#state = 'fileTag';
        return;
      case 'symlink':
        this.#state = 'targetKey';
        return;
      case 'directory':
        if (this.#names.length === MAX_DEPTH) throw this.#error(`directories nest deeper than ${MAX_DEPTH}`);
        this.#visitor.enterDirectory(this.#name);
        this.#names.push('');
        this.#state = 'entry';
        return;
      default:
        throw this.#error(`wanted 'regular', 'directory' or 'symlink', got ${quote(type)}`);
    }
  }

  /** The node that was read is closed; what follows depends on whether it lies in a directory. */
  #endNode(): void {
    this.#state = this.#names.length === 0 ? 'end' : 'entryClose';
  }

  #startContents(size: number): void {
    this.#visitor.file(this.#name, this.#executable, size);
    this.#fileSize = size;
    this.#remaining = size;
    if (size === 0) this.#endContents();
    else this.#state = 'contents';
  }

  #endContents(): void {
    this.#remaining = padded(this.#fileSize) - this.#fileSize;
    this.#state = this.#remaining === 0 ? 'fileClose' : 'padding';
  }

  #expect(text: string, wanted: string, next: State): void {
    if (text !== wanted) throw this.#error(`wanted ${quote(wanted)}, got ${quote(text)}`);
    this.#state = next;
  }

  #checkName(name: string): void {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
      throw this.#error(`${quote(name)} is no file name`);
    }
    const previous = this.#names.at(-1)!;
    if (name <= previous) throw this.#error(`${quote(name)} after ${quote(previous)}: names must be sorted and unique`);
  }

  /** How long the string token of this state may be. */
  #limit(): number {
    if (this.#state === 'name') return MAX_NAME_LENGTH;
    return this.#state === 'target' ? MAX_TARGET_LENGTH : MAX_TAG_LENGTH;
  }

  #length(buffer: Buffer, position: number, limit: number): number {
    const value = buffer.readUInt32LE(position) + buffer.readUInt32LE(position + 4) * 2 ** 32;
    if (value > limit) {
      throw this.#error(this.#state === 'magic' ? 'no Nix archive' : `a length of ${value}, the most here is ${limit}`);
    }
    return value;
  }

  #checkPadding(buffer: Buffer, start: number, end: number): void {
    for (let position = start; position < end; position++) {
      if (buffer[position] !== 0) throw this.#error('padding that is not zero');
    }
  }

  #error(problem: string): FormatError {
    return new FormatError('nar', this.#tokenStart, problem);
  }
}

/** A length rounded up to the next multiple of eight. */
export function padded(length: number): number {
  const rest = length % 8;
  return rest === 0 ? length : length + 8 - rest;
}
