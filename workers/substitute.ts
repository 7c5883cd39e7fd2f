/** Substitution of one path: exports it from the source store, checks it, and unpacks it where it is told to. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Reply, Request } from '../src/pool/messages.ts';
import type { Handler, JobContext } from '../src/pool/serve.ts';
import { NarRestorer } from '../src/stores/nar-fs.ts';
import { linksOf } from '../src/stores/optimise/links.ts';
import { removeTree } from '../src/stores/remove-tree.ts';
import { receiveNar } from './receive-nar.ts';

const substitute: Handler<'substitute'> = async (request, context) => {
  const { destination, partial } = request;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeTree(destination));
  const resumes = partial !== undefined && existsSync(partial);
  const reply = await receive(request, context).catch(async (error) => {
    // A part that was there and is gone was dropped as a possible culprit: the source gets the blame only without it.
    if (!resumes || existsSync(partial) || context.signal.aborted) throw error;
    await removeTree(destination);
    return await receive(request, context);
  });

  undo.move(); // what was unpacked is the main thread's from here on
  return reply;
};
export default substitute;

async function receive(request: Request<'substitute'>, context: JobContext): Promise<Reply<'substitute'>> {
  const { destination } = request;
  // It is in a staging directory of the store.
  const links = context.settings.autoOptimiseStore ? linksOf(dirname(dirname(destination))) : undefined;
  using restorer = new NarRestorer(destination, links);
  const reply = await receiveNar(request, context, (chunk) => restorer.push(chunk));
  restorer.finish();
  return reply;
}
