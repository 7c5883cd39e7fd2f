/** Reading derivations of a local store from their files. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type NamedOutput, parseDerivationOutputs } from '../formats/derivation-outputs.ts';

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
