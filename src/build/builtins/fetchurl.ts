/**
 * `builtin:fetchurl`, which downloads a file whose hash is known.
 *
 * Source: Nix 2.35 libstore/builtins/fetchurl.cc; libexpr/fetchurl.nix.
 */
import { chmodSync, closeSync, constants, openSync, writeSync } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError, TransferError } from '../../errors.ts';
import type { ContentAddress } from '../../formats/content-address.ts';
import { printDigest } from '../../formats/hash.ts';
import { withoutCredentials } from '../../formats/store-reference.ts';
import { Throttle } from '../../pool/rate-limit.ts';
import { openDecoder } from '../../stores/compression.ts';
import { asStoreError } from '../../stores/fs-errors.ts';
import { Downloader } from '../../stores/http/downloader.ts';
import { NarRestorer } from '../../stores/nar-fs.ts';
import { removeTree } from '../../stores/remove-tree.ts';
import type { Sink } from '../../stores/store.ts';
import { type BuiltinContext, builtinFailure, outputLocation, variable } from './context.ts';

/** The hosts that curl takes for this machine. */
const THIS_HOST: ReadonlySet<string> = new Set(['', 'localhost', '127.0.0.1']);

const [OTHERS_MAY_READ, OTHERS_MAY_ENTER] = [0o004, 0o001];
const isRoot = process.getuid?.() === 0;

export async function fetchurl(context: BuiltinContext): Promise<void> {
  const { derivation, env, settings, signal, log } = context;
  const out = outputLocation(context);
  const fixed = derivation.outputs.get('out')?.contentAddress;
  if (fixed === undefined) throw builtinFailure("'builtin:fetchurl' must be a fixed-output derivation");
  const url = variable(context, 'url');
  const urls = [...new Set([url, ...(env.get('urls') ?? '').split(/\s+/).filter((word) => word !== '')])];
  const sources = [...mirrorsOf(fixed, settings.hashedMirrors), ...urls];

  await using downloader = new Downloader(settings);
  for (const [index, source] of sources.entries()) {
    const isLast = index === sources.length - 1;
    try {
      await using output = await openOutput(out, env.get('unpack') === '1', url.endsWith('.xz'));
      await pour(source, downloader, (chunk) => output.push(chunk), context, !isLast);
      await output.finish();
      if (env.get('executable') === '1') chmodSync(out, 0o755);
      return;
    } catch (error) {
      signal.throwIfAborted();
      const { message } = asStoreError(`cannot write '${out}'`, error);
      const problem = `unable to download '${describeUrl(source)}': ${message}`;
      if (isLast) throw builtinFailure(problem, { cause: error, status: 'transientFailure', hint: hintOf(error) });
      log(problem);
    }
  }
}

/** Without credentials, and without the query, which can be as good as a password. */
function describeUrl(text: string): string {
  return withoutCredentials(text).replace(/[?#].*$/s, '');
}

/** Mirrors have files by their hash, which is that of the contents. */
function mirrorsOf({ method, hash }: ContentAddress, mirrors: readonly string[]): string[] {
  if (method !== 'flat') return [];
  return mirrors.map((mirror) => `${mirror.replace(/\/?$/, '/')}${hash.algorithm}/${printDigest(hash, 'base16')}`);
}

/** @param impatient - whether there is another one that can be asked. */
async function pour(
  url: string,
  downloader: Downloader,
  sink: Sink,
  { settings, signal, log, onDownloaded, downloadLimit }: BuiltinContext,
  impatient: boolean,
): Promise<void> {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  switch (protocol) {
    case 'file:':
      return await pourFile(new URL(url), sink, signal, settings.buildUsersGroup !== '' && isRoot);
    case 'http:':
    case 'https:': {
      const throttle = new Throttle(url, downloadLimit, signal);
      const throttled: Sink = (chunk) => {
        const taken = sink(chunk);
        return throttle.neverRests ? taken : Promise.resolve(taken).then(() => throttle.rest());
      };
      return await downloader.download(url, throttled, {
        signal,
        impatient,
        synchronous: throttle.neverRests, // files are written, and NARs unpacked, at once
        onDownload: (bytes) => {
          onDownloaded(bytes);
          throttle.took(bytes);
        },
        onRetry: (error) => log(`warning: ${error.message}; trying again`),
      });
    }
    default:
      throw new TransferError(`builtin:fetchurl has no way to fetch '${protocol || 'what is no URL'}'`, {
        hint: 'URLs of http, https and file are known',
      });
  }
}

/** @param asAnybody - whether builders run as other users than this: the file must be one that they could read. */
async function pourFile(url: URL, sink: Sink, signal: AbortSignal, asAnybody: boolean): Promise<void> {
  if (!THIS_HOST.has(url.hostname)) throw new TransferError(`the file is on host '${url.hostname}', not on this one`);
  url.hostname = '';
  const path = await realpath(fileURLToPath(url));
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stats = await file.stat();
  if (!stats.isFile()) throw new TransferError(`'${path}' is no regular file`);
  if (asAnybody && !((stats.mode & OTHERS_MAY_READ) !== 0 && (await othersMayEnter(dirname(path))))) {
    throw new TransferError(`'${path}' is not for everybody to read`);
  }
  for await (const chunk of file.createReadStream({ autoClose: false, signal })) await sink(chunk as Uint8Array);
}

/** Whether all directories on the way can be gone through. */
async function othersMayEnter(directory: string): Promise<boolean> {
  const { mode } = await stat(directory);
  if ((mode & OTHERS_MAY_ENTER) === 0) return false;
  return directory === dirname(directory) || (await othersMayEnter(dirname(directory)));
}

function hintOf(error: unknown): string | undefined {
  return error instanceof SluiceError ? error.hint : undefined;
}

interface Output extends AsyncDisposable {
  readonly push: Sink;
  finish(): Promise<void>;
}

/** Opens what becomes of a download: the file itself, or what a NAR holds. It is removed, unless it is finished. */
async function openOutput(path: string, unpacks: boolean, isXz: boolean): Promise<Output> {
  await using resources = new AsyncDisposableStack();
  let isWhole = false;
  resources.defer(async () => {
    if (!isWhole) await removeTree(path);
  });
  const push = unpacks ? openNar(path, isXz, resources) : openFile(path, resources);
  const opened = resources.move();
  return {
    push: push.chunk,
    finish: async () => {
      await push.end();
      isWhole = true;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

interface Parts {
  readonly chunk: Sink;
  readonly end: () => void | Promise<void>;
}

function openFile(path: string, resources: AsyncDisposableStack): Parts {
  const file = resources.adopt(openSync(path, 'wx', 0o644), closeSync);
  const chunk = (bytes: Uint8Array): void => {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
  };
  return { chunk, end: () => {} };
}

function openNar(path: string, isXz: boolean, resources: AsyncDisposableStack): Parts {
  const restorer = resources.use(new NarRestorer(path));
  const sink = (bytes: Uint8Array): void => restorer.push(bytes);
  const decoder = resources.use(openDecoder(isXz ? 'xz' : 'none', sink, { what: 'NAR' }));
  const end = async (): Promise<void> => {
    await decoder.finish();
    restorer.finish();
  };
  return { chunk: (bytes) => decoder.push(bytes), end };
}
