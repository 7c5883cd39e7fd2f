/** The check of files in `.links`. */
import type { Handler } from '../src/pool/serve.ts';
import { verifyLinks as verify } from '../src/stores/verify/verify-links.ts';

const verifyLinks: Handler<'verifyLinks'> = (request, { signal, progress }) =>
  verify(request, signal, (bytes) => progress.addNar(bytes));
export default verifyLinks;
