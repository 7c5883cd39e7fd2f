/** Hashing of what lies at several file names, each as a NAR: the work of verifying a store's contents. */
import { encodeError } from '../src/errors.ts';
import type { Reply } from '../src/pool/messages.ts';
import type { Handler } from '../src/pool/serve.ts';
import { asStoreError } from '../src/stores/fs-errors.ts';
import { hashNar } from '../src/stores/verify/hash-nar.ts';

const hashPaths: Handler<'hashPaths'> = async ({ realPaths }, { signal, progress }) => {
  const outcomes: Reply<'hashPaths'>['outcomes'][number][] = [];
  for (const realPath of realPaths) {
    signal.throwIfAborted();
    try {
      outcomes.push({ ok: true, found: await hashNar(realPath, signal, (bytes) => progress.addNar(bytes)) });
    } catch (error) {
      signal.throwIfAborted();
      outcomes.push({ ok: false, error: encodeError(asStoreError(`cannot read '${realPath}'`, error)) });
    }
  }
  return { outcomes };
};
export default hashPaths;
