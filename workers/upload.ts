/** The heavy half of a copy into a binary cache: export, compress, write the NAR. The main thread announces it. */
import { Throttle } from '../src/pool/rate-limit.ts';
import type { Handler } from '../src/pool/serve.ts';
import { Stopwatch } from '../src/pool/stopwatch.ts';
import { BinaryCacheStore } from '../src/stores/binary-cache-store.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';
import type { Sink } from '../src/stores/store.ts';

const upload: Handler<'upload'> = async ({ from, info, to }, { settings, signal, progress, downloadLimit }) => {
  const stopwatch = new Stopwatch();
  const [source, cache] = await Promise.all([openStoreOnce(from, settings), openStoreOnce(to, settings)]);
  if (!(cache instanceof BinaryCacheStore)) throw new Error(`unreachable: '${cache.uri}' is no binary cache`);

  const throttle = new Throttle(source.uri, downloadLimit, signal);
  let downloadedBytes = 0;
  let retries = 0;
  const onRetry = (): void => {
    retries++;
  };
  let uploadedBytes = 0;
  const onUpload = (bytes: number): void => {
    uploadedBytes += bytes;
    progress.addUploaded(bytes);
  };
  const onDownload = (bytes: number): void => {
    downloadedBytes += bytes;
    progress.addDownloaded(bytes);
    throttle.took(bytes);
  };
  const nar = (sink: Sink): Promise<void> =>
    source.narFromPath(
      info,
      (chunk) => {
        signal.throwIfAborted();
        stopwatch.chunk();
        progress.addNar(chunk.length);
        const taken = sink(chunk);
        const rest = throttle.rest();
        return rest === undefined ? taken : Promise.all([taken, rest]).then(() => {});
      },
      { signal, onDownload, onRetry },
    );
  const narInfo = await cache.writeNar(info, nar, { signal, onRetry, onUpload });
  return { narInfo, downloadedBytes, uploadedBytes, timings: stopwatch.timings, retries };
};
export default upload;
