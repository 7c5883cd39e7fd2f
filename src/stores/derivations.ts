/**
 * Derivations of a local store, read from their files and checked: outputs that do not follow from a derivation could be
 * taken for those of another.
 *
 * To check one, all that lead to it are read and hashed once; their hashes are remembered. Chains of any length are
 * walked without recursion, and the event loop gets its turns.
 *
 * Source: Nix 2.35 libstore/derivations.cc, pathDerivationModulo and Derivation::checkInvariants.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { FormatError, SluiceError, StoreError } from '../errors.ts';
import { type Derivation, parseDerivation } from '../formats/derivation.ts';
import {
  checkDerivationPath,
  checkOutputs,
  derivationName,
  hashDerivationModulo,
  type InputHash,
  isDerivationPath,
  isFixed,
} from '../formats/derivation-hash.ts';
import { parseDerivationOutputs } from '../formats/derivation-outputs.ts';
import type { Hash } from '../formats/hash.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { asStoreError } from './fs-errors.ts';
import { LruMap } from './lru-map.ts';

/** In bytes. The largest of nixpkgs take a few megabytes. */
const MAX_FILE_SIZE = 64 * 1024 * 1024;
/** Hashes that are remembered: about 200 bytes each. */
const MAX_HASHES = 200_000;
/** After so many milliseconds of reading and hashing the event loop gets a turn. */
const LONGEST_TURN = 8;

/** What is needed of a store. */
export interface DerivationFiles {
  readonly storeDir: StoreDir;
  /** Where a store path really lies, valid or not. */
  realPath(path: StorePath): string;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Reads and checks derivations of one store. */
export class DerivationReader {
  readonly #store: DerivationFiles;
  readonly #hashes = new LruMap<StorePath, Hash>(MAX_HASHES);

  /** A {@link LocalStore} will do. */
  constructor(store: DerivationFiles) {
    this.#store = store;
  }

  /**
   * Reads a derivation, and checks that its path and its outputs are those which follow from it.
   *
   * @param path - should be valid, as all that it refers to: that is not looked at.
   * @throws {StoreError} on one that is not there, is none, or is not what it should be; also on one that it needs.
   */
  async readDerivation(path: StorePath, { signal }: ReadOptions = {}): Promise<Derivation> {
    const derivation = this.#read(path);
    checkDerivationPath(this.#store.storeDir, path, derivation);
    await this.#check(path, derivation, { staged: new Map(), hashes: new Map(), signal });
    return derivation;
  }

  /**
   * Checks derivations that are to become valid: that their outputs are those which follow from them. Those of which
   * all outputs are only known once they are built are not looked at.
   *
   * @param staged - where they lie. All else that they need is valid.
   * @returns what is wrong with which of them.
   */
  async checkStaged(
    staged: ReadonlyMap<StorePath, string>,
    { signal }: ReadOptions = {},
  ): Promise<ReadonlyMap<StorePath, SluiceError>> {
    const problems = new Map<StorePath, SluiceError>();
    const walk = { staged, hashes: new Map<StorePath, Hash>(), signal };
    for (const [path, location] of staged) {
      try {
        await this.#checkFile(path, location, walk);
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        problems.set(path, error);
      }
    }
    return problems;
  }

  /**
   * Checks derivations where they are in the store, as {@link checkStaged} does.
   *
   * @throws {StoreError} on the first that is wrong.
   */
  async checkAll(derivations: Iterable<StorePath>, { signal }: ReadOptions = {}): Promise<void> {
    const walk = { staged: new Map<StorePath, string>(), hashes: new Map<StorePath, Hash>(), signal };
    for (const path of derivations) await this.#checkFile(path, this.#store.realPath(path), walk);
  }

  /**
   * What stands for each of `derivations` in the hashes of those that need it.
   *
   * @throws {StoreError} as {@link readDerivation} does.
   */
  async hashDerivations(derivations: Iterable<StorePath>, { signal }: ReadOptions = {}): Promise<InputHash> {
    return await this.#hashAll(derivations, { staged: new Map(), hashes: new Map(), signal });
  }

  async #checkFile(path: StorePath, location: string, walk: Walk): Promise<void> {
    const bytes = readFile(this.#store.storeDir, path, location);
    if (hasKnownOutputs(bytes)) await this.#check(path, parseFile(this.#store.storeDir, path, bytes), walk);
  }

  async #check(path: StorePath, derivation: Derivation, walk: Walk): Promise<void> {
    const inputHash = await this.#hashAll(inputsOf(derivation), walk);
    checkOutputs(this.#store.storeDir, path, derivation, inputHash);
  }

  async #hashAll(derivations: Iterable<StorePath>, walk: Walk): Promise<InputHash> {
    let turn = performance.now();
    for (const path of derivations) {
      for (const _hashed of this.#hash(path, walk)) {
        if (performance.now() - turn < LONGEST_TURN) continue;
        await setImmediate();
        walk.signal?.throwIfAborted();
        turn = performance.now();
      }
    }
    return (path) => walk.hashes.get(path)!;
  }

  /** Hashes a derivation after all that it needs, and stops after each. */
  *#hash(root: StorePath, { staged, hashes }: Walk): Generator<void, void> {
    const frames: Frame[] = [];
    const entered = new Set<StorePath>();
    const enter = (path: StorePath): void => {
      if (hashes.has(path)) return;
      // What is staged may yet turn out not to be what belongs to its path.
      const known = staged.has(path) ? undefined : this.#hashes.get(path);
      if (known !== undefined) {
        hashes.set(path, known);
        return;
      }
      // No honest path can need itself, as it would have to be in its own hash.
      if (entered.has(path)) throw new StoreError(`derivation '${this.#print(path)}' needs itself`);
      entered.add(path);
      const derivation = this.#read(path, staged.get(path));
      frames.push({ path, derivation, inputs: inputsOf(derivation) });
    };
    enter(root);
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const { value: input, done } = frame.inputs.next();
      if (!done) {
        enter(input);
        continue;
      }
      frames.pop();
      const hash = hashDerivationModulo(this.#store.storeDir, frame.derivation, (path) => hashes.get(path)!);
      hashes.set(frame.path, hash);
      if (!staged.has(frame.path)) this.#hashes.set(frame.path, hash);
      yield;
    }
  }

  #read(path: StorePath, location: string = this.#store.realPath(path)): Derivation {
    return parseFile(this.#store.storeDir, path, readFile(this.#store.storeDir, path, location));
  }

  #print(path: StorePath): string {
    return printStorePath(this.#store.storeDir, path);
  }
}

/** What is known while derivations are hashed. */
interface Walk {
  /** Where those lie that are no part of the store yet. */
  readonly staged: ReadonlyMap<StorePath, string>;
  /** Takes what is hashed; what is in there is not hashed again. */
  readonly hashes: Map<StorePath, Hash>;
  readonly signal: AbortSignal | undefined;
}

/** A derivation on the way to its hash. */
interface Frame {
  readonly path: StorePath;
  readonly derivation: Derivation;
  /** Those that are not hashed yet. */
  readonly inputs: Iterator<StorePath, undefined>;
}

/** Those that its hash depends on. */
function inputsOf(derivation: Derivation): MapIterator<StorePath> {
  return (isFixed(derivation) ? new Map<StorePath, never>() : derivation.inputDrvs).keys();
}

/** Whether the path of any output is in the file: where none is, none can be wrong. */
function hasKnownOutputs(bytes: Buffer): boolean {
  return parseDerivationOutputs(bytes.toString('latin1')).some(({ path }) => path !== undefined);
}

function readFile(storeDir: StoreDir, path: StorePath, file: string): Buffer {
  try {
    return readBounded(file);
  } catch (error) {
    throw asStoreError(`cannot read derivation '${printStorePath(storeDir, path)}'`, error);
  }
}

/** @throws {StoreError} on what is no derivation. */
function parseFile(storeDir: StoreDir, path: StorePath, bytes: Buffer): Derivation {
  const shown = printStorePath(storeDir, path);
  if (!isDerivationPath(path)) throw new StoreError(`'${shown}' is no derivation`);
  try {
    return parseDerivation(storeDir, derivationName(path), bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new StoreError(`cannot read derivation '${shown}': ${error.message}`, { cause: error });
  }
}

function readBounded(file: string): Buffer {
  using opened = new DisposableStack();
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = opened.adopt(openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), closeSync);
  const stats = fstatSync(fd);
  if (!stats.isFile()) throw new StoreError(`'${file}' is no regular file`);
  if (stats.size > MAX_FILE_SIZE)
    throw new StoreError(`'${file}' has ${stats.size} bytes, the limit is ${MAX_FILE_SIZE}`);
  const bytes = Buffer.allocUnsafe(stats.size);
  let length = 0;
  for (let read = -1; read !== 0 && length < bytes.length; length += read) {
    read = readSync(fd, bytes, length, bytes.length - length, null);
  }
  return bytes.subarray(0, length);
}
