/** Hashing of what lies at several file names, each as a NAR: the work of verifying a store's contents. */
import { encodeError } from '../src/errors.ts';
import type { Reply } from '../src/pool/messages.ts';
import type { Handler } from '../src/pool/serve.ts';
import { asStoreError } from '../src/stores/fs-errors.ts';
import { hashNars } from '../src/stores/verify/hash-nars.ts';

const hashPaths: Handler<'hashPaths'> = async ({ realPaths }, { signal, progress }) => {
  const outcomes: Reply<'hashPaths'>['outcomes'][number][] = new Array(realPaths.length);
  await hashNars(realPaths, {
    signal,
    onBytes: (bytes) => progress.addNar(bytes),
    onOutcome: (index, outcome) => {
      outcomes[index] = outcome.ok
        ? outcome
        : { ok: false, error: encodeError(asStoreError(`cannot read '${realPaths[index]}'`, outcome.error)) };
    },
  });
  return { outcomes };
};
export default hashPaths;
