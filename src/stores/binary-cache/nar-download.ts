/** The NAR of a path out of a binary cache: its file is fetched, its size checked, and it is decompressed on the way. */
import { HashMismatchError, SubstituteGoneError, TimedOutError, TransferError } from '../../errors.ts';
import type { NarInfo } from '../../formats/narinfo.ts';
import type { CacheTransport } from '../cache-transport.ts';
import { type Codec, openDecoder } from '../compression.ts';
import type { NarOptions, Sink } from '../store.ts';

/**
 * Pours the NAR into `sink`. Its hash is the receiver's business.
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
  let received = 0;
  const receive: Sink = (chunk) => {
    received += chunk.length;
    if (fileSize !== undefined && received > fileSize) throw wrongSize(what, fileSize, 'more');
    return decode().push(chunk);
  };
  await transport.streamFile(url, receive, { ...options, size: fileSize }).catch((error) => {
    throw explain(error, path, transport.uri);
  });
  if (fileSize !== undefined && received < fileSize) throw wrongSize(what, fileSize, `${received} bytes`);
  await decode().finish();
}

/** Adds the path to what the transport says of a file. */
function explain(error: unknown, path: string, uri: string): unknown {
  if (error instanceof SubstituteGoneError) {
    return new SubstituteGoneError(`the NAR of '${path}' is gone: ${error.message}`, { cause: error });
  }
  const message = `cannot fetch '${path}' from '${uri}'`;
  if (error instanceof TimedOutError) return new TimedOutError(`${message}: ${error.message}`, { cause: error });
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
