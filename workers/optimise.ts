/** Hard-linking of equal files in store paths. */
import { setImmediate } from 'node:timers/promises';
import type { StorePath } from '../src/formats/store-path.ts';
import type { Handler } from '../src/pool/serve.ts';
import { bytePath } from '../src/stores/optimise/byte-path.ts';
import { InodeSet } from '../src/stores/optimise/inode-set.ts';
import { Links } from '../src/stores/optimise/links.ts';
import { TreeOptimiser } from '../src/stores/optimise/optimise-tree.ts';

/** Files and bytes after which other jobs of the thread have their turn, and cancelling is heard. */
const TURN = { files: 100, bytes: 4 * 1024 * 1024 } as const;

const optimise: Handler<'optimise'> = async ({ realStoreDir, paths, linked }, { signal, progress }) => {
  const messages: string[] = [];
  const problems: { path: StorePath; message: string }[] = [];
  const onMessage = (message: string): void => void messages.push(message);
  const known = new InodeSet(linked);
  using links = new Links(realStoreDir, { onMessage, older: known });
  const optimiser = new TreeOptimiser({ links, linked: known, onMessage });
  const { totals } = optimiser;
  let files = 0;
  let told = 0;
  for (const path of paths) {
    try {
      for (const _ of optimiser.optimise(bytePath(`${realStoreDir}/${path}`))) {
        if (++files % TURN.files !== 0 && totals.bytesRead - told < TURN.bytes) continue;
        progress.addNar(totals.bytesRead - told);
        told = totals.bytesRead;
        await setImmediate();
        signal.throwIfAborted();
      }
    } catch (error) {
      signal.throwIfAborted();
      problems.push({ path, message: (error as Error).message });
    }
  }
  return { ...totals, messages, problems };
};
export default optimise;
