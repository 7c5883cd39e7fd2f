/** Small file systems in memory, for tests of what happens when a disk is full. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, statfsSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const MEBIBYTE: number = 1024 * 1024;
const PAGE = 4096;

export interface TmpfsOptions {
  /** In bytes. */
  readonly size: number;
  readonly inodes?: number | undefined;
}

/** Unmounted when disposed. */
export class Tmpfs implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #ballast: string;

  private constructor(path: string) {
    this.path = path;
    this.#ballast = join(path, 'ballast');
  }

  static mount({ size, inodes }: TmpfsOptions): Tmpfs {
    const path = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
    const options = [`size=${size}`, 'mode=0755', ...(inodes === undefined ? [] : [`nr_inodes=${inodes}`])];
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', options.join(), 'tmpfs', path]);
    if (status === 0) return new Tmpfs(path);
    rmdirSync(path);
    throw new Error(`cannot mount: ${stderr?.toString()}`);
  }

  get free(): number {
    const { bfree, bsize } = statfsSync(this.path);
    return bfree * bsize;
  }

  /** Fills it up, but for so many bytes, rounded up to whole pages. */
  fill(left = 0): void {
    rmSync(this.#ballast, { force: true });
    using opened = new DisposableStack();
    const file = opened.adopt(openSync(this.#ballast, 'w'), closeSync);
    const block = Buffer.alloc(PAGE);
    const pages = Math.floor((this.free - left) / PAGE);
    for (let page = 0; page < pages; page++) writeSync(file, block);
  }

  /** Takes away what {@link Tmpfs.fill} filled it with. */
  empty(): void {
    truncateSync(this.#ballast);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    spawnSync('umount', ['--lazy', this.path]);
    rmdirSync(this.path);
  }
}

/** Why no file system can be mounted, if so: `test(name, { skip: noTmpfs }, …)`. */
export const noTmpfs: string | false = await (async () => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root mounts file systems';
  try {
    await Tmpfs.mount({ size: PAGE })[Symbol.asyncDispose]();
    return false;
  } catch (error) {
    return `no file system can be mounted here: ${(error as Error).message.trim()}`;
  }
})();
