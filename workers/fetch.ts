/** Transfer of one path for its own sake: downloads, decompresses and checks it, and writes nothing. For measuring. */
import type { Handler } from '../src/pool/serve.ts';
import { receiveNar } from './receive-nar.ts';

const fetchPath: Handler<'fetch'> = (request, context) => receiveNar(request, context);
export default fetchPath;
