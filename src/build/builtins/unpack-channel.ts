/**
 * `builtin:unpack-channel`, which unpacks a tarball that holds one directory, and gives that another name.
 *
 * Source: Nix 2.35 libstore/builtins/unpack-channel.cc.
 */
import { readdirSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { FormatError } from '../../errors.ts';
import { type Codec, openDecoder } from '../../stores/compression.ts';
import { Turn } from '../outputs/turn.ts';
import { type BuiltinContext, builtinFailure, outputLocation, variable } from './context.ts';
import { TarExtractor } from './tar-extractor.ts';

/** Far more than all of Nixpkgs. */
const LIMITS = { bytes: 16 * 2 ** 30, entries: 5_000_000 } as const;
const CHUNK_SIZE = 128 * 1024;
/** How files begin, by their compression. */
const BEGINNINGS = [
  ['gzip', '1f8b'],
  ['xz', 'fd377a585a00'],
  ['bzip2', '425a68'],
  ['zstd', '28b52ffd'],
] as const;

export async function unpackChannel(context: BuiltinContext): Promise<void> {
  const out = outputLocation(context);
  const channelName = variable(context, 'channelName');
  const src = variable(context, 'src');
  if (['', '.', '..'].includes(channelName) || /[/\0]/.test(channelName)) {
    throw builtinFailure(`channelName is not allowed to contain filesystem separators, got '${channelName}'`);
  }
  await mkdir(out, { recursive: true });
  try {
    await unpack(context.realPath(src), out, context.signal);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw builtinFailure(`cannot unpack channel tarball '${src}': ${error.message}`, { cause: error });
  }
  const [name, ...others] = readdirSync(out, 'buffer');
  if (name === undefined) throw builtinFailure(`channel tarball '${src}' is empty`);
  if (others.length > 0) throw builtinFailure(`channel tarball '${src}' contains more than one file`);
  await rename(Buffer.concat([Buffer.from(`${out}/`), name]), join(out, channelName));
}

async function unpack(file: string, destination: string, signal: AbortSignal): Promise<void> {
  await using opened = await open(file);
  using extractor = new TarExtractor(destination, LIMITS);
  const turn = new Turn(signal);
  const sink = (chunk: Uint8Array): void | Promise<void> => {
    extractor.push(chunk);
    return turn.isOver ? turn.next() : undefined;
  };
  const buffer = Buffer.allocUnsafe(CHUNK_SIZE);
  using resources = new DisposableStack();
  let decoder: Codec | undefined;
  for (;;) {
    const { bytesRead } = await opened.read(buffer, 0, CHUNK_SIZE);
    signal.throwIfAborted();
    const chunk = buffer.subarray(0, bytesRead);
    decoder ??= resources.use(openDecoder(compressionOf(chunk), sink, { what: 'compressed tarball' }));
    if (bytesRead === 0) break;
    await decoder.push(chunk);
  }
  await decoder.finish();
  extractor.finish();
}

/** By the first bytes, whatever the file is called. */
function compressionOf(chunk: Buffer): string {
  return BEGINNINGS.find(([, bytes]) => chunk.toString('hex', 0, bytes.length / 2) === bytes)?.[0] ?? 'none';
}
