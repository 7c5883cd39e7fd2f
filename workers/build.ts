/** The build of one derivation on this machine. */
import { buildDerivation } from '../src/build/build-derivation.ts';
import { UsageError } from '../src/errors.ts';
import type { Handler } from '../src/pool/serve.ts';
import { LocalStore } from '../src/stores/local-store.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';

const build: Handler<'build'> = async (request, context) => {
  const store = await openStoreOnce(request.store, context.settings);
  if (!(store instanceof LocalStore)) throw new UsageError(`cannot build in '${request.store}': it is no local store`);
  return await buildDerivation(request, store, context);
};
export default build;
