/** Substitution of one path: exports it from the source store, checks it, and unpacks it where it is told to. */
import type { Handler } from '../src/pool/serve.ts';
import { Stopwatch } from '../src/pool/stopwatch.ts';
import { NarRestorer } from '../src/stores/nar-fs.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';
import { removeTree } from '../src/stores/remove-tree.ts';
import type { Sink } from '../src/stores/store.ts';
import { verifyNar } from '../src/stores/verify-nar.ts';

const substitute: Handler<'substitute'> = async ({ from, info, destination }, { settings, signal, progress }) => {
  const stopwatch = new Stopwatch();
  const source = await openStoreOnce(from, settings);

  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeTree(destination));
  using restorer = new NarRestorer(destination);
  let downloadedBytes = 0;
  const onDownload = (bytes: number): void => {
    stopwatch.chunk();
    downloadedBytes += bytes;
    progress.addDownloaded(bytes);
  };
  const download = (sink: Sink): Promise<void> => {
    const decoded: Sink = (chunk) => {
      stopwatch.spent('decode');
      return sink(chunk);
    };
    return source.narFromPath(info, decoded, { signal, onDownload, synchronous: true });
  };
  const nar = verifyNar(source.storeDir, info, download, source.uri);
  await nar((chunk) => {
    stopwatch.spent('hash');
    signal.throwIfAborted();
    restorer.push(chunk);
    progress.addNar(chunk.length);
    stopwatch.spent('write');
  });
  restorer.finish();

  undo.move(); // what was unpacked is the main thread's from here on
  return { downloadedBytes, timings: stopwatch.timings };
};
export default substitute;
