/** The heavy half of a copy into a binary cache: export, compress, write the NAR. The main thread announces it. */
import type { Handler } from '../src/pool/serve.ts';
import { Stopwatch } from '../src/pool/stopwatch.ts';
import { BinaryCacheStore } from '../src/stores/binary-cache-store.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';
import type { Sink } from '../src/stores/store.ts';

const upload: Handler<'upload'> = async ({ from, info, to }, { settings, signal, progress }) => {
  const stopwatch = new Stopwatch();
  const [source, cache] = await Promise.all([openStoreOnce(from, settings), openStoreOnce(to, settings)]);
  if (!(cache instanceof BinaryCacheStore)) throw new Error(`unreachable: '${cache.uri}' is no binary cache`);

  let downloadedBytes = 0;
  const onDownload = (bytes: number): void => {
    downloadedBytes += bytes;
    progress.addDownloaded(bytes);
  };
  const nar = (sink: Sink): Promise<void> =>
    source.narFromPath(
      info,
      (chunk) => {
        signal.throwIfAborted();
        stopwatch.chunk();
        progress.addNar(chunk.length);
        return sink(chunk);
      },
      { signal, onDownload },
    );
  const narInfo = await cache.writeNar(info, nar, { signal });
  return { narInfo, downloadedBytes, timings: stopwatch.timings };
};
export default upload;
