/** Transfer of one path for its own sake: downloads, decompresses and checks it, and writes nothing. For measuring. */
import type { Handler } from '../src/pool/serve.ts';
import { Stopwatch } from '../src/pool/stopwatch.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';
import type { Sink } from '../src/stores/store.ts';
import { verifyNar } from '../src/stores/verify-nar.ts';

const fetchPath: Handler<'fetch'> = async ({ from, info }, { settings, signal, progress }) => {
  const stopwatch = new Stopwatch();
  const source = await openStoreOnce(from, settings);
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
    progress.addNar(chunk.length);
  });
  return { downloadedBytes, timings: stopwatch.timings };
};
export default fetchPath;
