/** Deletion of what a collector has found to be garbage. */
import { setImmediate } from 'node:timers/promises';
import type { Handler } from '../src/pool/serve.ts';
import { deleteTree } from '../src/stores/gc/delete-tree.ts';

/** One that cannot be deleted is why many directories above cannot. */
const MOST_PROBLEMS = 10;

const deletePaths: Handler<'deletePaths'> = async ({ paths }, { signal }) => {
  let bytesFreed = 0;
  const problems: { path: string; message: string }[] = [];
  for (const path of paths) {
    await setImmediate(); // other jobs of the thread have their turn, and cancelling is heard
    signal.throwIfAborted();
    bytesFreed += deleteTree(path, (problem, { message }) => {
      if (problems.length < MOST_PROBLEMS) problems.push({ path: problem, message });
    });
  }
  return { bytesFreed, problems };
};
export default deletePaths;
