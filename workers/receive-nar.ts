/** What all transfers out of a store have in common: a NAR is downloaded, decompressed and checked, and timed. */
import { extname } from 'node:path';
import type { Reply, Request } from '../src/pool/messages.ts';
import { Throttle } from '../src/pool/rate-limit.ts';
import type { JobContext } from '../src/pool/serve.ts';
import { Stopwatch } from '../src/pool/stopwatch.ts';
import { openHashThread } from '../src/stores/hash-thread.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';
import type { Sink } from '../src/stores/store.ts';
import { verifyNar } from '../src/stores/verify-nar.ts';

/** Where compiled code is, it is compiled, too. */
const HASH_ENTRY = new URL(`./hash${extname(import.meta.url)}`, import.meta.url);

/**
 * @param write - takes the bytes, which count only when this has not thrown; where it is missing nothing is written.
 * @throws {HashMismatchError} at the end, when they are not what `info` announced.
 */
export async function receiveNar(
  { from, info, partial, impatient }: Omit<Request<'substitute'>, 'destination'>,
  { settings, signal, progress, downloadLimit, hasSpareCore }: JobContext,
  write?: (chunk: Uint8Array) => void,
): Promise<Reply<'fetch'>> {
  const stopwatch = new Stopwatch();
  const source = await openStoreOnce(from, settings);
  const throttle = new Throttle(source.uri, downloadLimit, signal);
  let downloadedBytes = 0;
  let retries = 0;
  const onRetry = (): void => {
    retries++;
  };
  const onDownload = (bytes: number): void => {
    stopwatch.chunk();
    downloadedBytes += bytes;
    progress.addDownloaded(bytes);
    throttle.took(bytes);
  };
  const download = (sink: Sink): Promise<void> => {
    const decoded: Sink = (chunk) => {
      stopwatch.spent('decode');
      return sink(chunk);
    };
    return source.narFromPath(info, decoded, {
      signal,
      onDownload,
      onRetry,
      partial,
      impatient,
      synchronous: throttle.neverRests,
    });
  };
  await using hasher = hasSpareCore ? openHashThread(HASH_ENTRY, info.narHash.algorithm) : undefined;
  const nar = verifyNar(source.storeDir, info, download, source.uri, hasher);
  await nar((chunk) => {
    stopwatch.spent('hash');
    signal.throwIfAborted();
    write?.(chunk);
    progress.addNar(chunk.length);
    if (write !== undefined) stopwatch.spent('write');
    return throttle.rest()?.then(() => stopwatch.chunk());
  });
  return { downloadedBytes, timings: stopwatch.timings, retries };
}
