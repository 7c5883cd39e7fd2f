/** Search for the roots of a collector: symlinks, and what programs that run say. */
import type { Handler } from '../src/pool/serve.ts';
import { findPermanentRoots } from '../src/stores/gc/find-roots.ts';
import { findRuntimeRoots } from '../src/stores/gc/runtime-roots.ts';

const findRoots: Handler<'findRoots'> = async ({ stateDir, storeDir }) => {
  const { roots, messages } = findPermanentRoots(stateDir, storeDir);
  return { permanent: roots, runtime: findRuntimeRoots(storeDir), messages };
};
export default findRoots;
