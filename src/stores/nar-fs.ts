/**
 * NAR ↔ file system: restoring and dumping trees with Nix's canonical metadata (files 0444 or 0555, directories 0555,
 * modification time 1), each in one pass.
 *
 * Both work with synchronous calls: many small files cost several times as much through the thread pool. They belong
 * into a worker thread.
 *
 * Source: Nix 2.35 libutil/archive.cc, fs-sink.cc; libstore/posix-fs-canonicalise.cc.
 */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  futimesSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { StoreError } from '../errors.ts';
import { NarParser, type NarVisitor } from '../formats/nar.ts';
import {
  ARCHIVE_START,
  DIRECTORY_END,
  DIRECTORY_START,
  ENTRY_END,
  entryStart,
  fileEnd,
  fileStart,
  symlink,
} from '../formats/nar-writer.ts';
import { overridesPermissions } from './capabilities.ts';
import { asStoreError } from './fs-errors.ts';
import { bytePath, fsPath } from './optimise/byte-path.ts';
import { FileSharer } from './optimise/file-sharer.ts';
import type { Links } from './optimise/links.ts';
import type { Sink } from './store.ts';
import { readUmask } from './umask.ts';

/** The modification time of everything in a store, in seconds. */
const STORE_MTIME = 1;
const DIRECTORY_MODE = 0o555;
/** Enough to make system calls rare, little enough to stay in the cache. */
const CHUNK_SIZE = 128 * 1024;

/** Unpacks a NAR, pushed in chunks of any size. Use it with `using`: an unfinished one holds a file open. */
export class NarRestorer implements Disposable {
  readonly #destination: string;
  readonly #parser: NarParser;
  readonly #writer: TreeWriter;

  /**
   * @param destination - does not exist yet, in a directory that does; an existing one fails with EEXIST.
   * @param links - of the store: files become links to those with the same contents as soon as they are complete.
   */
  constructor(destination: string, links?: Links) {
    this.#destination = destination;
    this.#writer = new TreeWriter(destination, links);
    this.#parser = new NarParser(this.#writer);
  }

  /**
   * What was unpacked before an error stays, for the caller to remove.
   *
   * @throws {FormatError} where the bytes are no NAR; {@link StoreError} where the file system refuses.
   */
  push(chunk: Uint8Array): void {
    this.#unpack(() => this.#parser.push(chunk));
  }

  /** As {@link NarRestorer.push}, where more than the archive may follow: see {@link NarParser.take}. */
  take(chunk: Uint8Array): number {
    return this.#unpack(() => this.#parser.take(chunk));
  }

  /** Whether the archive is complete. */
  get ended(): boolean {
    return this.#parser.ended;
  }

  /** @throws {FormatError} where the archive is not complete. */
  finish(): void {
    this.#parser.finish();
  }

  [Symbol.dispose](): void {
    this.#writer[Symbol.dispose]();
  }

  #unpack<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      throw asStoreError(`cannot unpack into '${this.#destination}'`, error);
    }
  }
}

/** Makes the files that a NAR names. Nothing that exists is followed or overwritten: every name must be new. */
class TreeWriter implements NarVisitor, Disposable {
  /** Byte strings of the open directories, outermost first. */
  readonly #directories: string[] = [];
  /** Those of them that had to be made writable. */
  readonly #writable = new Set<string>();
  readonly #destination: string;
  readonly #sharer: FileSharer | undefined;
  /** Of the file that is being written. */
  #path = '';
  #mode = 0;
  #file: number | undefined;

  constructor(destination: string, links: Links | undefined) {
    this.#destination = bytePath(destination);
    this.#sharer = links && new FileSharer(links);
  }

  enterDirectory(name: string): void {
    const path = this.#at(name);
    this.#make(() => mkdirSync(fsPath(path), modeOfNewDirectory()));
    this.#directories.push(path);
  }

  leaveDirectory(): void {
    const path = this.#directories.pop()!;
    if (modeOfNewDirectory() !== DIRECTORY_MODE || this.#writable.delete(path)) chmodSync(fsPath(path), DIRECTORY_MODE);
    utimesSync(fsPath(path), STORE_MTIME, STORE_MTIME);
  }

  file(name: string, executable: boolean, size: number): void {
    this.#path = this.#at(name);
    this.#mode = executable ? 0o555 : 0o444;
    this.#sharer?.start(executable, size);
    if (this.#sharer?.held === undefined) this.#create();
  }

  contents(bytes: Uint8Array): void {
    this.#sharer?.push(bytes);
    if (this.#file !== undefined) this.#write(bytes);
  }

  endFile(): void {
    if (this.#file === undefined) {
      if (this.#sharer!.linkInstead(this.#path)) return;
      this.#create();
      this.#write(this.#sharer!.held!);
    }
    futimesSync(this.#file!, STORE_MTIME, STORE_MTIME);
    this.#close();
    this.#sharer?.share(this.#path);
  }

  symlink(name: string, target: string): void {
    const path = fsPath(this.#at(name));
    this.#make(() => symlinkSync(fsPath(target), path));
    lutimesSync(path, STORE_MTIME, STORE_MTIME);
    this.#sharer?.shareSymlink(this.#at(name), target);
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) this.#close();
  }

  #create(): void {
    this.#file = this.#make(() => openSync(fsPath(this.#path), 'wx', this.#mode));
    if (umaskHides(this.#mode)) fchmodSync(this.#file, this.#mode);
  }

  /** Makes something in the open directory, which may have its last mode already: not everywhere is root above that. */
  #make<T>(make: () => T): T {
    try {
      return make();
    } catch (error) {
      const directory = this.#directories.at(-1);
      if ((error as NodeJS.ErrnoException).code !== 'EACCES' || directory === undefined) throw error;
      chmodSync(fsPath(directory), 0o755);
      this.#writable.add(directory);
      return make();
    }
  }

  #write(bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#file!, bytes, written);
  }

  #close(): void {
    const file = this.#file!;
    this.#file = undefined;
    closeSync(file);
  }

  #at(name: string): string {
    const directory = this.#directories.at(-1);
    return directory === undefined ? this.#destination : `${directory}/${name}`;
  }
}

let newDirectoryMode: number | undefined;

/** Whoever may write to directories that nobody may write to makes them so at once. */
function modeOfNewDirectory(): number {
  newDirectoryMode ??= !umaskHides(DIRECTORY_MODE) && overridesPermissions() ? DIRECTORY_MODE : 0o755;
  return newDirectoryMode;
}

let umask: number | undefined;

/** Whether the process's umask takes bits of `mode` from a new file. */
function umaskHides(mode: number): boolean {
  umask ??= readUmask();
  return (umask & mode) !== 0;
}

/** What a file is, as Nix's functions call it. */
export type FileKind = 'regular' | 'directory' | 'symlink' | 'unknown';

/** Says of each entry of a directory whether it belongs to the tree; one that does not is not looked into. */
export type PathFilter = (path: string, kind: FileKind) => boolean;

/**
 * Pours the NAR of what lies at `path` into `sink`. Modes and times other than the executable bit are not looked at.
 *
 * @throws {StoreError} on anything but files, directories and symlinks, and where a file changes meanwhile.
 */
export async function dumpNar(
  path: string,
  sink: Sink,
  { filter }: { readonly filter?: PathFilter | undefined } = {},
): Promise<void> {
  for (const chunk of narChunks(path, filter)) {
    const taken = sink(chunk);
    if (taken !== undefined) await taken;
  }
}

/** The NAR of `path` in chunks that share one buffer: each is good until the next is asked for. */
function narChunks(path: string, filter: PathFilter | undefined): Generator<Uint8Array, void, void> {
  return new TreeReader(filter).archive(bytePath(path));
}

class TreeReader {
  readonly #buffer = Buffer.allocUnsafe(CHUNK_SIZE);
  readonly #filter: PathFilter | undefined;
  #length = 0;

  constructor(filter: PathFilter | undefined) {
    this.#filter = filter;
  }

  *archive(path: string): Generator<Uint8Array, void, void> {
    yield* this.#put(ARCHIVE_START);
    yield* this.#node(path);
    yield this.#take();
  }

  *#node(path: string): Generator<Uint8Array, void, void> {
    const stats = lstatSync(fsPath(path));
    if (stats.isFile()) yield* this.#file(path, (stats.mode & 0o100) !== 0, stats.size);
    else if (stats.isDirectory()) yield* this.#directory(path);
    else if (stats.isSymbolicLink()) yield* this.#put(symlink(readlinkSync(fsPath(path), 'latin1')));
    else throw new StoreError(`'${path}' is neither file, directory nor symlink`);
  }

  *#directory(path: string): Generator<Uint8Array, void, void> {
    yield* this.#put(DIRECTORY_START);
    for (const name of readdirSync(fsPath(path), 'latin1').sort()) {
      if (this.#filter !== undefined && !isWanted(`${path}/${name}`, this.#filter)) continue;
      yield* this.#put(entryStart(name));
      yield* this.#node(`${path}/${name}`);
      yield* this.#put(ENTRY_END);
    }
    yield* this.#put(DIRECTORY_END);
  }

  *#file(path: string, executable: boolean, size: number): Generator<Uint8Array, void, void> {
    yield* this.#put(fileStart(executable, size));
    using cleanup = new DisposableStack();
    const file = cleanup.adopt(openSync(fsPath(path), 'r'), closeSync);
    for (let left = size; left > 0; ) {
      if (this.#length === CHUNK_SIZE) yield this.#take();
      const read = readSync(file, this.#buffer, this.#length, Math.min(left, CHUNK_SIZE - this.#length), null);
      if (read === 0) throw new StoreError(`'${path}' became shorter while it was read`);
      this.#length += read;
      left -= read;
    }
    yield* this.#put(fileEnd(size));
  }

  /** Adds a byte string; the buffer is handed over first where it does not fit. */
  *#put(bytes: string): Generator<Uint8Array, void, void> {
    if (this.#length + bytes.length > CHUNK_SIZE) yield this.#take();
    this.#length += this.#buffer.write(bytes, this.#length, 'latin1');
  }

  #take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }
}

function isWanted(path: string, filter: PathFilter): boolean {
  const stats = lstatSync(fsPath(path));
  const kind: FileKind = stats.isFile()
    ? 'regular'
    : stats.isDirectory()
      ? 'directory'
      : stats.isSymbolicLink()
        ? 'symlink'
        : 'unknown';
  return filter(Buffer.from(path, 'latin1').toString(), kind);
}
