/** Hashing of what lies at a file name, as a NAR. */
import type { Handler } from '../src/pool/serve.ts';
import { hashNar } from '../src/stores/verify/hash-nar.ts';

const hashPath: Handler<'hashPath'> = ({ realPath }, { signal, progress }) =>
  hashNar(realPath, signal, (bytes) => progress.addNar(bytes));
export default hashPath;
