/**
 * The one walk over an output: every file is checked and gets its canonical metadata when it is opened to be read, and
 * all bytes of the NAR come by once.
 *
 * A file is opened before it is looked at, without following a symlink, so that what was checked is what is read.
 *
 * Source: Nix 2.35 libstore/posix-fs-canonicalise.cc; manual, "Nix Archive (NAR) format".
 */
import { chmodSync, constants, fstatSync, lstatSync, readlinkSync, type Stats } from 'node:fs';
import {
  ARCHIVE_START,
  DIRECTORY_END,
  DIRECTORY_START,
  ENTRY_END,
  entryStart,
  fileEnd,
  fileStart,
  symlink,
} from '../../formats/nar-writer.ts';
import { NarBuffer, OpenFile } from '../../stores/nar-buffer.ts';
import { fsPath, printPath } from '../../stores/optimise/byte-path.ts';
import { FileSharer } from '../../stores/optimise/file-sharer.ts';
import type { Links } from '../../stores/optimise/links.ts';
import { type DirectoryEntry, kindOf, readDirectory } from '../../stores/optimise/read-directory.ts';
import { type CanonicalMetadata, isExecutable } from './canonical-metadata.ts';
import type { OutputPlace } from './output-place.ts';
import { rewriteBytes, rewriteText } from './rewrite.ts';
import type { Turn } from './turn.ts';

export interface ReadOutputOptions {
  readonly metadata: CanonicalMetadata;
  readonly turn: Turn;
  /** Gets the NAR, a chunk at a time, which is overwritten when it returns. */
  readonly onNar: (chunk: Uint8Array) => void;
  /** Gets the contents of all files, in the same way. */
  readonly onContents?: ((bytes: Uint8Array) => void) | undefined;
  /** Where the NAR becomes a copy, the files themselves stay as they are, but for who may read them. */
  readonly copies: boolean;
  /** Hash parts, and what the NAR has in their place. Only for what is copied. */
  readonly rewrites: ReadonlyMap<string, string>;
  /** Makes files links to others with the same contents, where nothing is copied. */
  readonly links: Links | undefined;
}

/** What comes next. */
type Pending =
  | { readonly token: string }
  | { readonly path: string; readonly kind: DirectoryEntry['kind'] }
  | { readonly leave: string; readonly stats: Stats };

const OPEN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const OWNER_MAY_ALL = 0o700;
const isRoot = process.getuid?.() === 0;

/**
 * Reads an output from one end to the other.
 *
 * @throws {BuildError} on what cannot be in a store; the error of the system; the reason of the turn's signal.
 */
export async function readOutput(place: OutputPlace, options: ReadOutputOptions): Promise<void> {
  using reader = new OutputReader(place, options);
  await reader.read();
}

class OutputReader implements Disposable {
  readonly #place: OutputPlace;
  readonly #options: ReadOutputOptions;
  readonly #nar: NarBuffer;
  readonly #sharer: FileSharer | undefined;
  readonly #pending: Pending[] = [];

  constructor(place: OutputPlace, options: ReadOutputOptions) {
    this.#place = place;
    this.#options = options;
    this.#nar = new NarBuffer(options.onNar);
    this.#sharer = options.links && new FileSharer(options.links);
  }

  [Symbol.dispose](): void {
    this.#nar[Symbol.dispose]();
  }

  async read(): Promise<void> {
    const { root } = this.#place;
    const { turn } = this.#options;
    this.#pending.push({ path: root, kind: kindOf(lstatSync(fsPath(root))) });
    this.#nar.put(ARCHIVE_START);
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      if ('token' in next) this.#nar.put(next.token);
      else if ('leave' in next) this.#leave(next.leave, next.stats);
      else if (next.kind === 'regular') await this.#file(next.path);
      else this.#other(next.path);
      if (turn.isOver) await turn.next();
    }
    this.#nar.flush();
  }

  async #file(path: string): Promise<void> {
    const { turn, metadata, copies, rewrites, onContents } = this.#options;
    {
      using opened = this.#open(path);
      const stats = fstatSync(opened.fd);
      if (!stats.isFile()) throw this.#place.reject('changed while it was read', path);
      metadata.checkOwner(stats, path, this.#place);
      if (!copies) metadata.file(opened.fd, stats, path);
      const { size } = stats;
      this.#nar.put(fileStart(isExecutable(stats), size));
      this.#sharer?.start(isExecutable(stats), size);
      if (rewrites.size > 0) {
        await rewriteBytes(opened.fd, size, rewrites, {
          turn,
          path: printPath(path),
          sink: (bytes) => {
            this.#nar.add(bytes);
            onContents?.(bytes);
          },
        });
      } else {
        for (let left = size; left > 0; ) {
          const bytes = this.#nar.read(opened.fd, left, path);
          onContents?.(bytes);
          this.#sharer?.push(bytes);
          left -= bytes.length;
          if (left > 0 && turn.isOver) await turn.next();
        }
      }
      this.#nar.put(fileEnd(size));
    }
    this.#sharer?.share(path);
  }

  #open(path: string): OpenFile {
    const name = fsPath(path);
    try {
      return new OpenFile(name, OPEN);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
      this.#options.metadata.checkOwner(lstatSync(name), path, this.#place);
      chmodSync(name, lstatSync(name).mode | 0o400);
      return new OpenFile(name, OPEN);
    }
  }

  #other(path: string): void {
    const stats = lstatSync(fsPath(path));
    if (stats.isDirectory()) this.#enter(path, stats);
    else if (stats.isSymbolicLink()) this.#symlink(path, stats);
    else
      throw this.#place.reject(`is a ${describeKind(stats)}: a store has only files, directories and symlinks`, path);
  }

  #symlink(path: string, stats: Stats): void {
    const { metadata, copies, rewrites } = this.#options;
    metadata.checkOwner(stats, path, this.#place);
    const target = readlinkSync(fsPath(path), 'latin1');
    if (!copies) metadata.symlink(stats, path);
    this.#nar.put(symlink(rewriteText(target, rewrites)));
    this.#sharer?.shareSymlink(path, target);
  }

  #enter(path: string, stats: Stats): void {
    this.#options.metadata.checkOwner(stats, path, this.#place);
    if (!isRoot && (stats.mode & OWNER_MAY_ALL) !== OWNER_MAY_ALL) chmodSync(fsPath(path), 0o755);
    this.#nar.put(DIRECTORY_START);
    this.#pending.push({ token: DIRECTORY_END });
    if (!this.#options.copies) this.#pending.push({ leave: path, stats });
    for (const { name, entry } of this.#entries(path).reverse()) {
      this.#pending.push(
        { token: ENTRY_END },
        { path: `${path}/${entry.name}`, kind: entry.kind },
        { token: entryStart(name) },
      );
    }
  }

  /** In the order of their names in the NAR. */
  #entries(path: string): { readonly name: string; readonly entry: DirectoryEntry }[] {
    const { rewrites } = this.#options;
    const entries = readDirectory(path).map((entry) => ({ name: rewriteText(entry.name, rewrites), entry }));
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    const twice = entries.find(({ name }, index) => name === entries[index + 1]?.name);
    if (twice === undefined) return entries;
    throw this.#place.reject('would be there twice, when hash parts are replaced in names', `${path}/${twice.name}`);
  }

  #leave(path: string, stats: Stats): void {
    this.#options.metadata.directory(stats, path);
  }
}

function describeKind(stats: Stats): string {
  if (stats.isFIFO()) return 'named pipe';
  if (stats.isSocket()) return 'socket';
  if (stats.isCharacterDevice()) return 'character device';
  return stats.isBlockDevice() ? 'block device' : 'file of an unknown kind';
}
