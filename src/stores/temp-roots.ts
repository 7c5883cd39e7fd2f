/**
 * Temporary roots: what this process uses and no collector may delete while it lives. They stand in a locked file under
 * `temproots`, one NUL-terminated path after the other, and are told to a collector that runs already over its socket.
 *
 * A root protects every name in the store directory that starts with its hash part, valid or not.
 *
 * Source: Nix 2.35 libstore/gc.cc, LocalStore::addTempRoot; the same since Nix 2.5.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { StoreError } from '../errors.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { backOff } from './back-off.ts';
import { asStoreError } from './fs-errors.ts';
import type { Libc } from './libc.ts';

/** What a file name for a socket may have at most, in bytes (sun_path, macOS has the least). */
const MAX_SOCKET_PATH = 103;

interface Files {
  readonly roots: number;
  readonly gcLock: number;
  readonly gcLockFile: string;
}

export class TempRoots implements Disposable {
  readonly #libc: Libc;
  readonly #stateDir: string;
  readonly #resources = new DisposableStack();
  readonly #known = new Set<string>();
  readonly #knownPaths = new Set<StorePath>();
  #files: Files | undefined;

  constructor(libc: Libc, stateDir: string) {
    this.#libc = libc;
    this.#stateDir = stateDir;
  }

  /** Ends the protection of all. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  /**
   * Protects store paths until this object is disposed; fulfilled when no collector deletes them any more. One that
   * was being deleted is gone by then.
   *
   * @param paths - full store paths.
   */
  async add(paths: Iterable<string>, signal?: AbortSignal): Promise<void> {
    const fresh = [...paths].filter((path) => !this.#known.has(path));
    if (fresh.length === 0) return;
    this.#files ??= this.#open();
    const { roots } = this.#files;
    await this.#tell(this.#files, fresh, () => this.#write(roots, fresh), signal);
    for (const path of fresh) this.#known.add(path);
  }

  /** The same for paths of one store directory, most of which may have been added before. */
  async addPaths(storeDir: StoreDir, paths: Iterable<StorePath>, signal?: AbortSignal): Promise<void> {
    const fresh = new Set<StorePath>();
    for (const path of paths) if (!this.#knownPaths.has(path)) fresh.add(path);
    if (fresh.size === 0) return;
    await this.add(
      Array.from(fresh, (path) => printStorePath(storeDir, path)),
      signal,
    );
    for (const path of fresh) this.#knownPaths.add(path);
  }

  /**
   * Tells the collector that runs now of paths that were added before, if there is one. Whoever makes a path a permanent
   * root does so afterwards: a collector that has looked for permanent roots before, and looks for temporary ones only
   * when this process has ended, as Nix does, would find neither.
   */
  async tellAgain(paths: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#files ??= this.#open();
    await this.#tell(this.#files, paths, () => {}, signal);
  }

  /** @param write - called when no collector can start before it has ended, or the one that runs knows. */
  async #tell(
    { gcLock, gcLockFile }: Files,
    paths: readonly string[],
    write: () => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      // A collector holds this lock alone; one that starts later reads the file.
      if (this.#libc.tryLock(gcLock, 'shared', gcLockFile)) {
        using locked = new DisposableStack();
        locked.defer(() => this.#libc.unlock(gcLock, gcLockFile));
        return write();
      }
      if (await this.#tellCollector(paths, signal)) return write();
      await backOff(attempt, signal);
    }
  }

  /** All or none: what comes after half of a path would be taken for its rest. */
  #write(file: number, paths: readonly string[]): void {
    const bytes = Buffer.from(paths.map((path) => `${path}\0`).join(''));
    const { size } = fstatSync(file);
    try {
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(file, bytes, written, bytes.length - written, size + written);
      }
    } catch (error) {
      ftruncateSync(file, size);
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): Error {
    return asStoreError(`cannot protect paths from the collector with a file in '${this.#stateDir}/temproots'`, error);
  }

  #open(): Files {
    try {
      return this.#create();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #create(): Files {
    const gcLockFile = join(this.#stateDir, 'gc.lock');
    const gcLock = this.#resources.adopt(openSync(gcLockFile, constants.O_RDWR | constants.O_CREAT, 0o600), closeSync);
    for (;;) {
      // Nix names the file PID alone. A collector reads them all, but old ones want a number in front.
      const file = join(this.#stateDir, 'temproots', `${process.pid}-${randomBytes(6).toString('hex')}`);
      const roots = createLocked(this.#libc, file);
      if (roots === undefined) continue;
      this.#resources.adopt(roots, closeSync);
      this.#resources.defer(() => unlinkSync(file));
      return { roots, gcLock, gcLockFile };
    }
  }

  /** Hands roots to the collector that runs now; false where there is none, or it ended meanwhile. */
  async #tellCollector(paths: readonly string[], signal?: AbortSignal): Promise<boolean> {
    await using resources = new AsyncDisposableStack();
    let socketPath = join(this.#stateDir, 'gc-socket', 'socket');
    if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH && process.platform === 'linux') {
      try {
        const directory = resources.use(await open(join(this.#stateDir, 'gc-socket'), constants.O_DIRECTORY));
        socketPath = `/proc/self/fd/${directory.fd}/socket`;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
        throw error;
      }
    }
    return await exchange(socketPath, paths, signal);
  }
}

/** Creates a file and locks it; undefined where a collector saw it unlocked first and took it for a dead one's. */
function createLocked(libc: Libc, file: string): number | undefined {
  using opened = new DisposableStack();
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  opened.adopt(fd, closeSync);
  const stats = libc.tryLock(fd, 'exclusive', file) ? fstatSync(fd) : undefined;
  if (stats?.size !== 0 || stats.nlink === 0) return undefined;
  opened.move();
  return fd;
}

/** One line a root; the collector answers each with '1' once it will not delete it. */
async function exchange(socketPath: string, paths: readonly string[], signal?: AbortSignal): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  using cleanup = new DisposableStack();
  const socket = cleanup.adopt(createConnection(socketPath), (open) => open.destroy());
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  cleanup.defer(() => signal?.removeEventListener('abort', abort));
  let answers = 0;
  socket.on('data', (chunk: Buffer) => {
    answers += chunk.length;
    if (answers >= paths.length) resolve(true);
  });
  socket.on('close', () => resolve(false));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    // All of these say that the collector is not there yet or not any more.
    if (['ECONNREFUSED', 'ENOENT', 'EPIPE', 'ECONNRESET'].includes(error.code ?? '')) resolve(false);
    else reject(new StoreError(`cannot talk to the collector at '${socketPath}': ${error.message}`, { cause: error }));
  });
  socket.write(paths.map((path) => `${path}\n`).join(''));
  return await promise;
}
