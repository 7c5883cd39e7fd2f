/** Copies into a remote store: exports one path after the other, checks it, and sends it. */
import type { Received } from '../src/pool/messages.ts';
import { Throttle } from '../src/pool/rate-limit.ts';
import type { Handler, JobContext } from '../src/pool/serve.ts';
import { Stopwatch } from '../src/pool/stopwatch.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';
import { isRemoteStore, type ObjectSource } from '../src/stores/remote-store.ts';
import type { Store } from '../src/stores/store.ts';

const copyPaths: Handler<'copyPaths'> = async ({ from, to, infos, others, checkSigs }, context) => {
  const { settings, signal, tell } = context;
  const [source, destination] = await Promise.all([openStoreOnce(from, settings), openStoreOnce(to, settings)]);
  if (!isRemoteStore(destination)) throw new Error(`unreachable: '${destination.uri}' is no remote store`);
  const asked = new Set([...infos.map(({ path }) => path), ...others]);
  const valid = await destination.queryValidPaths([...asked].sort(), { signal });
  tell({ kind: 'valid', paths: [...valid] });
  const missing = infos.filter(({ path }) => !valid.has(path));
  const objects = missing.map((info) =>
    exported(source, info, context, (received) => tell({ kind: 'sent', received })),
  );
  await destination.addMultipleToStore(objects, { signal, checkSigs });
  return {};
};
export default copyPaths;

function exported(
  source: Store,
  info: ObjectSource['info'],
  { signal, progress, tell, downloadLimit }: JobContext,
  onSent: (received: Received) => void,
): ObjectSource {
  return {
    info,
    async nar(sink) {
      tell({ kind: 'sending' });
      const stopwatch = new Stopwatch();
      const throttle = new Throttle(source.uri, downloadLimit, signal);
      let downloadedBytes = 0;
      let retries = 0;
      const onDownload = (bytes: number): void => {
        stopwatch.chunk();
        downloadedBytes += bytes;
        progress.addDownloaded(bytes);
        throttle.took(bytes);
      };
      const onRetry = (): void => {
        retries++;
      };
      await source.narFromPath(
        info,
        async (chunk) => {
          await sink(chunk);
          progress.addNar(chunk.length);
          stopwatch.spent('write');
          await throttle.rest();
        },
        { signal, onDownload, onRetry },
      );
      onSent({ downloadedBytes, timings: stopwatch.timings, retries });
    },
  };
}
