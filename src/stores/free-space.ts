/**
 * Room on a disk for what transfers bring. Whoever is about to begin one claims room for all of it, so that many at once
 * do not each think that they have the disk for themselves, and what cannot end well does not begin.
 *
 * A claim is refused only where it is certain that there is no room. Where a file system does not tell, or may need less
 * for a file than its size, nothing is refused; where it says too much, or others fill the disk, writing fails.
 */
import { statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { StoreError } from '../errors.ts';

/** For so many milliseconds what is free counts as known, as long as it is enough. */
const KNOWN_FOR = 1_000;
/** Milliseconds after which every claim has heard how far its transfer was before. */
const PROGRESS_IS_TOLD = 150;
/** Types of file systems that may compress or share what is written, or are a door to others of which nothing is known. */
const MAY_NEED_LESS: ReadonlySet<number> = new Set([
  0x9123683e, // btrfs
  0x2fc12fc1, // zfs
  0xca451a4e, // bcachefs
  0xf2f52010, // f2fs
  0x65735546, // fuse
  0x6969, // nfs
  0x01021997, // 9p
  0x00c36400, // ceph
  0xff534d42, // cifs
  0xfe534d42, // smb2
]);

/** What is known of the room on a file system. */
export interface FreeSpace {
  /** Bytes that this user may still write. */
  readonly free: number;
  /** Whether a file needs as much as it holds. */
  readonly isExact: boolean;
}

/** Asks the file system that holds `directory`; undefined where it cannot tell, as those that say that they have no blocks. */
export async function queryFreeSpace(directory: string): Promise<FreeSpace | undefined> {
  const stats = await statfs(directory).catch(() => undefined);
  if (stats === undefined) return undefined;
  const { type, bsize, blocks, bfree, bavail } = stats;
  if (!(blocks > 0 && bsize > 0 && bfree <= blocks)) return undefined;
  // What is kept for root is root's to use.
  const free = (process.getuid?.() === 0 ? bfree : bavail) * bsize;
  return { free, isExact: !MAY_NEED_LESS.has(type) };
}

export interface SpaceClaimsOptions {
  readonly directory: string;
  /** As {@link queryFreeSpace}, which a test replaces. */
  readonly query?: ((directory: string) => Promise<FreeSpace | undefined>) | undefined;
  /** Waits so many milliseconds, which a test does not. */
  readonly wait?: ((milliseconds: number) => Promise<unknown>) | undefined;
}

export interface ClaimOptions {
  /** What the room is for, in messages. */
  readonly subject: string;
  /** In bytes. */
  readonly size: number;
  /** Makes `needed` bytes free in all, as far as it can, and is done when it has tried. */
  readonly makeRoom?: ((needed: number) => Promise<void>) | undefined;
}

/** Room for one transfer, given back when it is disposed: what was written by then the file system knows of. */
export class SpaceClaim implements Disposable {
  /** Bytes that are still to be written. */
  left: number;
  readonly #claims: Set<SpaceClaim>;
  readonly #size: number;

  /** Use {@link SpaceClaims.claim}. */
  constructor(size: number, claims: Set<SpaceClaim>) {
    this.left = size;
    this.#size = size;
    this.#claims = claims;
    claims.add(this);
  }

  /** @param bytes - in all. */
  written(bytes: number): void {
    this.left = Math.max(0, this.#size - bytes);
  }

  [Symbol.dispose](): void {
    this.#claims.delete(this);
  }
}

/** All claims to the room on one disk. */
export class SpaceClaims {
  readonly #directory: string;
  readonly #query: NonNullable<SpaceClaimsOptions['query']>;
  readonly #wait: NonNullable<SpaceClaimsOptions['wait']>;
  readonly #claims = new Set<SpaceClaim>();
  /** Bytes that nobody has claimed, as it was last seen, less what was claimed since. */
  #unclaimed = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<FreeSpace | undefined> | undefined;

  constructor({ directory, query = queryFreeSpace, wait = delay }: SpaceClaimsOptions) {
    this.#directory = directory;
    this.#query = query;
    this.#wait = wait;
  }

  /** @throws {StoreError} where there is no room for it. */
  async claim(options: ClaimOptions): Promise<SpaceClaim> {
    const { size } = options;
    let { makeRoom } = options;
    while (size > 0 && !this.#fits(size)) {
      const space = await this.#look();
      if (space === undefined || !space.isExact || this.#fits(size)) break;
      if (makeRoom !== undefined) {
        await makeRoom(this.#claimed + size);
        makeRoom = undefined; // once is enough
        continue;
      }
      // What was written before the look and is told only now would count twice. Where it turns out that there may be
      // room after all, another look tells.
      if (this.#claims.size > 0) await this.#wait(PROGRESS_IS_TOLD);
      if (space.free - this.#claimed < size) throw this.#refusal(options, space.free);
    }
    return this.#take(size);
  }

  /**
   * Whether a file of this size in `directory`, maybe on another disk, would leave those who have claimed room what they
   * need. For what is of use but not needed: nothing is claimed.
   */
  async hasRoomBeside(directory: string, size: number): Promise<boolean> {
    const space = await this.#query(directory);
    if (space === undefined) return true;
    const isSameDisk = statSync(directory).dev === statSync(this.#directory).dev;
    return size <= space.free - (isSameDisk ? this.#claimed : 0);
  }

  #fits(size: number): boolean {
    return size <= this.#unclaimed && performance.now() < this.#lookedAt + KNOWN_FOR;
  }

  #take(size: number): SpaceClaim {
    this.#unclaimed -= size;
    return new SpaceClaim(size, this.#claims);
  }

  get #claimed(): number {
    let bytes = 0;
    for (const { left } of this.#claims) bytes += left;
    return bytes;
  }

  /** Many who want to know share one look. */
  #look(): Promise<FreeSpace | undefined> {
    this.#looking ??= this.#query(this.#directory).then((space) => {
      this.#looking = undefined;
      this.#lookedAt = performance.now();
      this.#unclaimed = space?.isExact ? space.free - this.#claimed : Number.POSITIVE_INFINITY;
      return space;
    });
    return this.#looking;
  }

  #refusal({ subject, size }: ClaimOptions, free: number): StoreError {
    const claimed = this.#claimed;
    const others = claimed === 0 ? '' : `, of which running transfers need ${claimed}`;
    return new StoreError(
      `no room for ${subject}: it needs ${size} bytes, and ${free} are free on the file system of '${this.#directory}'${others}`,
      {
        hint: "make room there: 'sluice gc' deletes garbage, and with setting min-free that is done when it is needed",
      },
    );
  }
}
