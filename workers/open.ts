/** Opening stores before there is a job for them: what they need is loaded then, and the thread is warm. */
import type { Handler } from '../src/pool/serve.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';

const open: Handler<'open'> = async ({ stores }, { settings }) => {
  await Promise.all(stores.map((uri) => openStoreOnce(uri, settings)));
  return {};
};
export default open;
