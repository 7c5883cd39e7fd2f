/** Substitution of one path: exports it from the source store, checks it, and unpacks it where it is told to. */
import type { Handler } from '../src/pool/serve.ts';
import { NarRestorer } from '../src/stores/nar-fs.ts';
import { removeTree } from '../src/stores/remove-tree.ts';
import { receiveNar } from './receive-nar.ts';

const substitute: Handler<'substitute'> = async ({ from, info, destination }, context) => {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeTree(destination));
  using restorer = new NarRestorer(destination);
  const reply = await receiveNar({ from, info }, context, (chunk) => restorer.push(chunk));
  restorer.finish();

  undo.move(); // what was unpacked is the main thread's from here on
  return reply;
};
export default substitute;
