/** Hashing of what lies at a file name, as a NAR: the work of verifying a store's contents. */
import { createHash } from 'node:crypto';
import type { Handler } from '../src/pool/serve.ts';
import { dumpNar } from '../src/stores/nar-fs.ts';

const hashPath: Handler<'hashPath'> = async ({ realPath }, { signal, progress }) => {
  const hash = createHash('sha256');
  let narSize = 0;
  await dumpNar(realPath, (chunk) => {
    signal.throwIfAborted();
    hash.update(chunk);
    narSize += chunk.length;
    progress.addNar(chunk.length);
  });
  return { narHash: { algorithm: 'sha256', digest: hash.digest() }, narSize };
};
export default hashPath;
