/**
 * Takes one output from its builder: what lies there is checked, read once, and becomes a store object.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, registerOutputs.
 */
import { createHash, type Hash as Hasher } from 'node:crypto';
import { lstatSync, type Stats } from 'node:fs';
import { rename } from 'node:fs/promises';
import { SluiceError } from '../../errors.ts';
import type { ContentAddress } from '../../formats/content-address.ts';
import type { Hash, HashAlgorithm } from '../../formats/hash.ts';
import { ReferenceScanner } from '../../formats/reference-scanner.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { asStoreError } from '../../stores/fs-errors.ts';
import { NarRestorer } from '../../stores/nar-fs.ts';
import type { Links } from '../../stores/optimise/links.ts';
import { removeTree } from '../../stores/remove-tree.ts';
import { type CanonicalMetadata, isExecutable } from './canonical-metadata.ts';
import { type OutputPlace, rejected } from './output-place.ts';
import { readOutput } from './read-output.ts';
import type { Turn } from './turn.ts';

export interface TakeOptions {
  readonly metadata: CanonicalMetadata;
  readonly turn: Turn;
  /** The derivation, with the store directory: for messages. */
  readonly drvPath: string;
  readonly buildUid: number | undefined;
  readonly rewrites: ReadonlyMap<string, string>;
  readonly links: Links | undefined;
  /** What it may refer to; none where that is not looked for. */
  readonly candidates: readonly StorePath[];
  /** What a fixed output must be. */
  readonly fixed: ContentAddress | undefined;
  /** Whether files may still be open for writing somewhere, so that only a copy is safe from changes. */
  readonly mayBeOpen: boolean;
}

/** What was found out about an output by reading it. */
export interface TakenOutput {
  readonly place: OutputPlace;
  readonly narHash: Hash;
  readonly narSize: number;
  /** Sorted; may hold its own path. */
  readonly references: readonly StorePath[];
  /** Of a fixed output: what its contents are, by the method and algorithm that it names. */
  readonly contentHash: Hash | undefined;
}

const GROUP_OR_OTHERS_MAY_WRITE = 0o022;
/** The builder made something that no file system call can name. */
const BUILDERS_FAULTS: ReadonlySet<unknown> = new Set(['ENAMETOOLONG', 'ELOOP']);

/**
 * Makes a store object of what lies at `place`, where it then lies with canonical metadata.
 *
 * @throws {BuildError} on what cannot be an output; {StoreError} where the file system refuses; the reason of the
 *   turn's signal.
 */
export async function takeOutput(place: OutputPlace, options: TakeOptions): Promise<TakenOutput> {
  try {
    const { fixed, rewrites } = options;
    const stats = lstatSync(place.location, { throwIfNoEntry: false });
    checkTop(place, stats, options);
    if (fixed?.method === 'git') throw place.reject("has the hash mode 'git', which is not supported");
    const copies = rewrites.size > 0 || (fixed !== undefined && options.mayBeOpen);
    return copies ? await copy(place, options) : await read(place, options, undefined);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (BUILDERS_FAULTS.has(code)) throw place.reject(`cannot be read: ${message}`);
    options.turn.throwIfAborted();
    throw asStoreError(`cannot take output '${place.fullPath}'`, error);
  }
}

function checkTop(place: OutputPlace, stats: Stats | undefined, options: TakeOptions): asserts stats is Stats {
  const { buildUid, drvPath, fixed } = options;
  if (stats === undefined) {
    throw rejected(
      `builder for '${drvPath}' failed to produce output path '${place.fullPath}' (output '${place.name}')`,
    );
  }
  const othersMayWrite = !stats.isSymbolicLink() && (stats.mode & GROUP_OR_OTHERS_MAY_WRITE) !== 0;
  if (othersMayWrite || (buildUid !== undefined && stats.uid !== buildUid)) {
    const why = othersMayWrite ? 'others than its owner may write to it' : 'it does not belong to the build user';
    throw rejected(
      `suspicious ownership or permission on '${place.fullPath}' (output '${place.name}'): ${why}; rejecting this build output`,
    );
  }
  const ofOneFile = fixed !== undefined && fixed.method !== 'nar' && fixed.method !== 'git';
  if (ofOneFile && (!stats.isFile() || isExecutable(stats))) {
    const problem =
      "should be a non-executable regular file, since recursive hashing is not enabled (outputHashMode is 'flat')";
    throw place.reject(problem);
  }
}

/** Replaces what lies there by a copy, which nobody else has ever had in their hands. */
async function copy(place: OutputPlace, options: TakeOptions): Promise<TakenOutput> {
  const fresh = `${place.location}.copy`;
  using restorer = new NarRestorer(fresh, options.links);
  const taken = await read(place, options, (chunk) => restorer.push(chunk));
  restorer.finish();
  await removeTree(place.location);
  await rename(fresh, place.location);
  return taken;
}

async function read(
  place: OutputPlace,
  options: TakeOptions,
  onCopy: ((chunk: Uint8Array) => void) | undefined,
): Promise<TakenOutput> {
  const { metadata, turn, rewrites, links, fixed, candidates } = options;
  const narHasher = createHash('sha256');
  const scanner = candidates.length > 0 ? new ReferenceScanner(candidates) : undefined;
  const [contents, nar] = contentHashers(fixed);
  let narSize = 0;
  await readOutput(place, {
    metadata,
    turn,
    copies: onCopy !== undefined,
    rewrites,
    links: onCopy === undefined ? links : undefined,
    onContents: contents && ((bytes) => void contents.update(bytes)),
    onNar: (chunk) => {
      narSize += chunk.length;
      narHasher.update(chunk);
      nar?.update(chunk);
      scanner?.push(chunk);
      onCopy?.(chunk);
    },
  });
  const narHash = hashOf('sha256', narHasher);
  const hasher = contents ?? nar;
  return {
    place,
    narHash,
    narSize,
    references: scanner?.finish() ?? [],
    contentHash: fixed && (hasher === undefined ? narHash : hashOf(fixed.hash.algorithm, hasher)),
  };
}

/** What hashes the contents of the one file, and what the NAR, where the hash of the NAR is not needed anyway. */
function contentHashers(fixed: ContentAddress | undefined): [contents?: Hasher | undefined, nar?: Hasher | undefined] {
  if (fixed === undefined) return [];
  const { method, hash } = fixed;
  if (method !== 'nar') return [createHash(hash.algorithm)];
  return hash.algorithm === 'sha256' ? [] : [undefined, createHash(hash.algorithm)];
}

function hashOf(algorithm: HashAlgorithm, hasher: Hasher): Hash {
  return { algorithm, digest: new Uint8Array(hasher.digest()) };
}
