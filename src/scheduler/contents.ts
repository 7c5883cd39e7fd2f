/** Holding what lies in a store directory against what was registered. */
import { HashMismatchError, StoreError } from '../errors.ts';
import { type Hash, hashesEqual, printHash } from '../formats/hash.ts';

/** What is registered of a path's contents. */
export interface Registered {
  /** The full path, for messages. */
  readonly shown: string;
  /** All zeros where it is not known, as in stores of long ago. */
  readonly narHash: Hash;
  /** Zero where it is not known. */
  readonly narSize: number;
}

/** What lies there, hashed as a NAR. */
export interface Found {
  readonly narHash: Hash;
  readonly narSize: number;
}

/** Whether a registered hash says anything. */
export function isKnown({ digest }: Hash): boolean {
  return digest.some((byte) => byte !== 0);
}

/** @throws {HashMismatchError} where they differ. */
export function compareContents({ shown, narHash, narSize }: Registered, found: Found): void {
  const what = `path '${shown}'`;
  if (isKnown(narHash) && !hashesEqual(narHash, found.narHash)) {
    throw new HashMismatchError(what, printHash(narHash, 'nix32'), printHash(found.narHash, 'nix32'));
  }
  if (narSize !== 0 && narSize !== found.narSize) {
    throw new HashMismatchError(what, `${narSize} bytes of NAR`, `${found.narSize} bytes`);
  }
}

/** The error of a path that is registered and not there. */
export function missingContents(shown: string, cause?: Error): StoreError {
  const reason = cause?.message ?? 'it is not there';
  return new StoreError(`path '${shown}' is registered but cannot be read: ${reason}`, {
    cause,
    hint: 'with --repair it is fetched again, or made invalid where nothing refers to it',
  });
}
