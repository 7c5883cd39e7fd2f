/**
 * Libraries of the system through koffi: liblzma, libbz2 and libsodium. They are faster than what npm and Node have, on
 * the calling thread and into memory that is given to them. Where one is missing (as on NixOS, unless LD_LIBRARY_PATH
 * says where it is), the callers have something else to turn to.
 */
import { createRequire } from 'node:module';
import type koffi from 'koffi';

type Koffi = typeof koffi;

/** Where the library's version is part of the name, it is one whose functions and structures are as said here. */
const FILES = {
  lzma: { linux: ['liblzma.so.5'], darwin: ['liblzma.5.dylib'] },
  bz2: { linux: ['libbz2.so.1.0'], darwin: ['libbz2.1.0.dylib'] },
  sodium: { linux: ['libsodium.so.26', 'libsodium.so.23'], darwin: ['libsodium.26.dylib', 'libsodium.23.dylib'] },
} as const;

/** Functions of a library, each with its C prototype. */
export type Prototypes = Readonly<Record<string, string>>;
export type Functions<P extends Prototypes> = { readonly [N in keyof P]: (...args: NativeValue[]) => number };
/** A typed array stands for a pointer to its first byte. */
type NativeValue = number | bigint | BigUint64Array | Uint8Array;

let loaded: Koffi | undefined;

/** Loading takes about 10 ms, once a thread. */
export function loadKoffi(): Koffi {
  loaded ??= createRequire(import.meta.url)('koffi') as Koffi;
  return loaded;
}

/**
 * Finds functions of a library of the system.
 *
 * @returns undefined where the machine has no such library, or has not 64-bit pointers: the layouts here have.
 */
export function loadLibrary<P extends Prototypes>(name: keyof typeof FILES, prototypes: P): Functions<P> | undefined {
  const files = (FILES[name] as Partial<Record<NodeJS.Platform, readonly string[]>>)[process.platform] ?? [];
  for (const file of files) {
    try {
      const native = loadKoffi();
      if (native.sizeof('size_t') !== 8) return undefined;
      const library = native.load(file);
      const functions = Object.entries(prototypes).map(([symbol, prototype]) => [symbol, library.func(prototype)]);
      return Object.fromEntries(functions) as Functions<P>;
    } catch {} // not there, or without such a function
  }
  return undefined;
}

/** Keeps an array reachable, and so where it is, while a library has its address. */
export class Pin {
  #bytes: Uint8Array | undefined;
  #address = 0n;

  /** The address of the first byte; it holds until the next call, or {@link Pin.release}. */
  hold(bytes: Uint8Array): bigint {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#address = loadKoffi().address(bytes);
    }
    return this.#address;
  }

  release(): void {
    this.#bytes = undefined;
  }
}
