/**
 * Unpacking tarballs that nobody vouches for. Nothing outside of the destination is made, changed or linked to: no name
 * leads up or through a symlink, hard links are to files of the same tarball, and device nodes are refused. Times and
 * owners are not taken over, and of the modes whether the owner may execute.
 *
 * Synchronous: for worker threads, some bytes at a time.
 *
 * Source: Nix 2.35 libutil/tarfile.cc (libarchive with SECURE_SYMLINKS and SECURE_NODOTDOT).
 */
import { closeSync, linkSync, lstatSync, mkdirSync, openSync, symlinkSync, unlinkSync, writeSync } from 'node:fs';
import { Parser } from 'tar/parse';
import type { ReadEntry } from 'tar/read-entry';
import { FormatError } from '../../errors.ts';
import { quote } from '../../formats/quote.ts';

export interface ExtractLimits {
  /** Bytes of all files together. */
  readonly bytes: number;
  readonly entries: number;
}

const OWNER_MAY_EXECUTE = 0o100;
const FORMAT = 'tarball';

/** Use it with `using`: one that did not come to its end may hold a file open. */
export class TarExtractor implements Disposable {
  readonly #destination: string;
  readonly #limits: ExtractLimits;
  readonly #parser: Parser;
  /** Directories that are known to be some, below the destination. */
  readonly #directories = new Set<string>(['']);
  #file: number | undefined;
  #bytes = 0;
  #entries = 0;
  #offset = 0;
  #problem: Error | undefined;

  /** @param destination - a directory that is there. */
  constructor(destination: string, limits: ExtractLimits) {
    this.#destination = destination;
    this.#limits = limits;
    this.#parser = new Parser({ strict: true });
    this.#parser.on('entry', (entry: ReadEntry) => this.#guard(() => this.#entry(entry)));
    this.#parser.on('ignoredEntry', ({ type, size }: ReadEntry) => {
      this.#problem ??= this.#refuse(`it has a ${type} of ${size} bytes`);
    });
    this.#parser.on('error', (error: Error) => {
      this.#problem ??= new FormatError(FORMAT, this.#offset, error.message, { cause: error });
    });
  }

  /**
   * Takes the next bytes, which must not be compressed any more.
   *
   * @throws {FormatError} on what is no tarball, or wants what is not allowed; the error of the system.
   */
  push(chunk: Uint8Array): void {
    this.#parser.write(Buffer.from(chunk)); // which it keeps for a while
    this.#offset += chunk.length;
    if (this.#problem !== undefined) throw this.#problem;
  }

  /** @throws {FormatError} where the tarball is not complete. */
  finish(): void {
    this.#parser.end();
    if (this.#problem !== undefined) throw this.#problem;
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  /** What an event handler throws would be lost. */
  #guard(action: () => void): void {
    if (this.#problem !== undefined) return;
    try {
      action();
    } catch (error) {
      this.#problem = error instanceof Error ? error : new Error(String(error));
    }
  }

  #entry(entry: ReadEntry): void {
    this.#bytes += entry.size;
    this.#entries++;
    if (this.#bytes > this.#limits.bytes) throw this.#refuse(`it has more than ${this.#limits.bytes} bytes`);
    if (this.#entries > this.#limits.entries) throw this.#refuse(`it has more than ${this.#limits.entries} entries`);
    const path = this.#checkName(entry.path);
    switch (entry.type) {
      case 'File':
      case 'OldFile':
      case 'ContiguousFile':
        this.#makeFile(path, entry);
        return;
      case 'Directory':
      case 'GNUDumpDir':
        this.#makeDirectory(path);
        break;
      case 'SymbolicLink':
        this.#makeSymlink(path, String(entry.linkpath));
        break;
      case 'Link':
        this.#link(path, this.#checkName(String(entry.linkpath)));
        break;
      default:
        throw this.#refuse(`${quote(path)} is a ${entry.type}`);
    }
    entry.resume();
  }

  #makeFile(path: string, entry: ReadEntry): void {
    const mode = ((entry.mode ?? 0) & OWNER_MAY_EXECUTE) === 0 ? 0o644 : 0o755;
    this.#file = openSync(this.#clear(path), 'wx', mode);
    entry.on('data', (bytes: Uint8Array) =>
      this.#guard(() => {
        for (let written = 0; written < bytes.length; ) written += writeSync(this.#file!, bytes, written);
      }),
    );
    entry.on('end', () => this.#close());
  }

  /** Where it leads is its own affair: nobody follows it here. */
  #makeSymlink(path: string, target: string): void {
    if (target === '' || target.includes('\0')) throw this.#refuse(`${quote(path)} is a symlink to ${quote(target)}`);
    symlinkSync(target, this.#clear(path));
  }

  #link(path: string, target: string): void {
    this.#checkParent(target);
    const stats = lstatSync(this.#locate(target), { throwIfNoEntry: false });
    if (!stats?.isFile()) throw this.#refuse(`${quote(path)} is a link to ${quote(target)}, which is no file of it`);
    if (path !== target) linkSync(this.#locate(target), this.#clear(path));
  }

  /** Where something new is to be made. What has that name is removed, unless it is a directory. */
  #clear(path: string): string {
    if (path === '') throw this.#refuse('its root is no directory');
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.#makeDirectory(path.slice(0, slash));
    const location = this.#locate(path);
    const stats = lstatSync(location, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw this.#refuse(`${quote(path)} is a directory and something else`);
    if (stats !== undefined) unlinkSync(location);
    return location;
  }

  #makeDirectory(path: string): void {
    if (this.#directories.has(path)) return;
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.#makeDirectory(path.slice(0, slash));
    const location = this.#locate(path);
    const stats = lstatSync(location, { throwIfNoEntry: false });
    if (stats === undefined) mkdirSync(location, 0o755);
    else if (!stats.isDirectory()) throw this.#refuse(`${quote(path)} is a directory and something else`);
    this.#directories.add(path);
  }

  /** No part of the way may be a symlink. */
  #checkParent(path: string): void {
    const slash = path.lastIndexOf('/');
    if (slash < 0 || this.#directories.has(path.slice(0, slash))) return;
    throw this.#refuse(`${quote(path)} is in no directory of it`);
  }

  /** Without slashes and dots that mean nothing. */
  #checkName(name: string): string {
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) throw this.#refuse(`${quote(name)} leads out of a directory`);
    // Names that are not UTF-8 come like this, and could not be told apart.
    if (name.includes('\0') || name.includes('\ufffd')) throw this.#refuse(`${quote(name)} is not UTF-8`);
    return parts.join('/');
  }

  #refuse(problem: string): FormatError {
    return new FormatError(FORMAT, this.#offset, problem);
  }

  #locate(path: string): string {
    return `${this.#destination}/${path}`;
  }

  #close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) closeSync(file);
  }
}
