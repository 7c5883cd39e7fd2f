/** Reading derivations of a local store from their files. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StoreError } from '../errors.ts';
import { type NamedOutput, parseDerivationOutputs } from '../formats/derivation-outputs.ts';
import { asStoreError } from './fs-errors.ts';

/** In bytes. */
const MAX_LENGTH = 64 * 1024 * 1024;

/** In bytes: outputs come first in the file, and even a large derivation takes little for them. */
const MAX_OUTPUTS_LENGTH = 1024 * 1024;

/**
 * The outputs of the derivation in `file`.
 *
 * @throws {FormatError} on a file that holds no derivation; also what the file system says.
 */
export function readDerivationOutputs(file: string): readonly NamedOutput[] {
  using opened = new DisposableStack();
  const fd = opened.adopt(openSync(file, 'r'), closeSync);
  const buffer = Buffer.allocUnsafe(Math.min(fstatSync(fd).size, MAX_OUTPUTS_LENGTH));
  const length = readSync(fd, buffer, 0, buffer.length, 0);
  return parseDerivationOutputs(buffer.toString('latin1', 0, length));
}

/**
 * The bytes of a whole derivation.
 *
 * @throws {StoreError} on one that cannot be read, or is larger than any that makes sense.
 */
export function readDerivationFile(file: string): Uint8Array {
  using opened = new DisposableStack();
  try {
    const fd = opened.adopt(openSync(file, 'r'), closeSync);
    const { size } = fstatSync(fd);
    if (size > MAX_LENGTH) throw new StoreError(`derivation '${file}' has ${size} bytes, wanted at most ${MAX_LENGTH}`);
    const buffer = Buffer.allocUnsafe(size);
    return buffer.subarray(0, readSync(fd, buffer, 0, size, 0));
  } catch (error) {
    throw asStoreError(`cannot read derivation '${file}'`, error);
  }
}
