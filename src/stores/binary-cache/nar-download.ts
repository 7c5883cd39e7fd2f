/**
 * The NAR of a path out of a binary cache: its file is fetched, its size checked, and it is decompressed on the way.
 * Where an earlier download was interrupted, what it had kept goes through the decoder first, and the rest is fetched.
 */
import { HashMismatchError, SubstituteGoneError, TimedOutError, TransferError } from '../../errors.ts';
import type { NarInfo } from '../../formats/narinfo.ts';
import type { CacheTransport } from '../cache-transport.ts';
import { type Codec, openDecoder } from '../compression.ts';
import { downloadInRanges } from '../http/ranged-download.ts';
import { openPartialFile } from '../partial-file.ts';
import type { NarOptions, Sink } from '../store.ts';
import { isWorthKeeping } from './worth-keeping.ts';

/** In bytes: what is smaller comes soon enough over one connection. */
const MIN_DIVIDED_SIZE = 16 * 1024 * 1024;
/** What a server answers that has no bytes from there on: its file is another one. */
const RANGE_NOT_SATISFIABLE = 416;

/**
 * Pours the NAR into `sink`. Its hash is the receiver's business. What `options.partial` names is gone afterwards, but
 * where the transfer was at fault or was aborted: if it had been there before, it may have been the culprit of whatever
 * else went wrong, be it a hash that the receiver does not like.
 *
 * @param path - in full, for messages.
 */
export async function downloadNar(
  transport: CacheTransport,
  { url, compression, fileSize }: NarInfo,
  path: string,
  sink: Sink,
  options: NarOptions,
): Promise<void> {
  const what = `${compression === 'none' ? 'uncompressed' : compression} file of '${path}' in binary cache '${transport.uri}'`;
  using opened = new DisposableStack();
  // Opened when there is something to decode: of many requests that wait for an answer none holds memory, and small
  // files, which come in one chunk, take turns with one decoder.
  let decoder: Codec | undefined;
  const decode = (): Codec => {
    decoder ??= opened.use(openDecoder(compression, sink, { what }));
    return decoder;
  };
  let isFinished = false;
  const finish = (): void | Promise<void> => {
    isFinished = true;
    return decode().finish();
  };
  using partial = transport.isLocal || options.partial === undefined ? undefined : openPartialFile(options.partial);
  let received = 0;
  const receive: Sink = (chunk) => {
    received += chunk.length;
    if (fileSize !== undefined && received > fileSize) throw wrongSize(what, fileSize, 'more');
    const taken = decode().push(chunk);
    if (received !== fileSize) return taken;
    // At once, since the next answer may come in the same read: the decoder is there for that then.
    return taken instanceof Promise ? taken.then(finish) : finish();
  };
  let replayed = 0;
  let began: number | undefined;
  const keep: Sink = (chunk) => {
    began ??= performance.now();
    const left = (fileSize ?? Number.POSITIVE_INFINITY) - received;
    const rate = { received, milliseconds: performance.now() - began, left };
    // Where there was a part, somebody has been interrupted before.
    if (replayed === 0 && !isWorthKeeping(rate)) partial!.remove(); // from then on nothing is kept
    partial!.append(chunk);
    return receive(chunk);
  };
  try {
    await partial?.replay(receive, options.signal);
    replayed = received;
    // Of a file that is complete a server has nothing more to give, and says so as an error.
    if (received !== fileSize) {
      const stream = { ...options, offset: received, size: fileSize };
      const take = partial === undefined ? receive : keep;
      const isLarge = fileSize !== undefined && fileSize - received > MIN_DIVIDED_SIZE;
      await (isLarge && transport.servesRanges && options.synchronous
        ? downloadInRanges(transport, url, take, { ...stream, size: fileSize })
        : transport.streamFile(url, take, stream));
    }
    if (fileSize !== undefined && received < fileSize) throw wrongSize(what, fileSize, `${received} bytes`);
    if (!isFinished) await finish();
    partial?.remove();
  } catch (error) {
    if (!isInterruption(error, options.signal)) partial?.remove();
    throw explain(error, path, transport.uri);
  }
}

/** Whether an error leaves what has come so far as good as it was. */
function isInterruption(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted || error instanceof TimedOutError || error instanceof SubstituteGoneError) return true;
  return error instanceof TransferError && error.status !== RANGE_NOT_SATISFIABLE;
}

/** Adds the path to what the transport says of a file. */
function explain(error: unknown, path: string, uri: string): unknown {
  if (error instanceof SubstituteGoneError) {
    return new SubstituteGoneError(`the NAR of '${path}' is gone: ${error.message}`, { cause: error });
  }
  const message = `cannot fetch '${path}' from '${uri}'`;
  if (error instanceof TimedOutError) return new TimedOutError(`${message}: ${error.message}`, { cause: error });
  if (error instanceof HashMismatchError && !error.message.includes(path)) {
    const { wanted, got } = error;
    return new HashMismatchError(`size of the file of '${path}' in binary cache '${uri}'`, wanted, got, {
      cause: error,
    });
  }
  if (!(error instanceof TransferError)) return error;
  const { status, hint, transient, retryAfter } = error;
  return new TransferError(`${message}: ${error.message}`, {
    cause: error,
    hint,
    transient,
    retryAfter,
    ...(status !== undefined && { status }),
  });
}

function wrongSize(what: string, wanted: number, got: string): HashMismatchError {
  return new HashMismatchError(`size of ${what}`, `${wanted} bytes`, got);
}
