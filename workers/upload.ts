/** The heavy half of a copy into a binary cache: export, compress, write the NAR. The main thread announces it. */
import { type Handler, serve } from '../src/pool/serve.ts';
import { TransferMeter } from '../src/pool/transfer-meter.ts';
import { BinaryCacheStore } from '../src/stores/binary-cache-store.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';

const upload: Handler<'upload'> = serve(async ({ from, info, to, settings }, { signal, report }) => {
  const meter = new TransferMeter();
  const [source, cache] = await Promise.all([openStoreOnce(from, settings), openStoreOnce(to, settings)]);
  if (!(cache instanceof BinaryCacheStore)) throw new Error(`unreachable: '${cache.uri}' is no binary cache`);
  const narInfo = await cache.writeNar(
    info,
    (sink) =>
      source.narFromPath(
        info,
        (chunk) => {
          signal.throwIfAborted();
          meter.unpacked(chunk.length);
          report(meter.progress);
          return sink(chunk);
        },
        { signal, onDownload: meter.downloaded },
      ),
    { signal },
  );
  return { narInfo, ...meter.result() };
});
export default upload;
