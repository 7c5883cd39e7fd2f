/** Writing into a binary cache: NARs first, which nobody sees, then the narinfo files that announce them. */
import { createHash } from 'node:crypto';
import { StoreError } from '../../errors.ts';
import { printDigest } from '../../formats/hash.ts';
import { type NarInfo, printNarInfo } from '../../formats/narinfo.ts';
import { type NixCacheInfo, printNixCacheInfo } from '../../formats/nix-cache-info.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import type { BinaryCacheOptions } from '../binary-cache-params.ts';
import { type CacheTransport, isWritable, type PutOptions, type WritableTransport } from '../cache-transport.ts';
import { openEncoder } from '../compression.ts';
import { Turns } from '../http/turns.ts';
import { Signer } from '../signer.ts';
import type { NarSource, QueryOptions, Sink } from '../store.ts';
import { verifyNar } from '../verify-nar.ts';
import { CACHE_INFO, type CacheInfo } from './cache-info.ts';
import { narInfoName } from './nar-infos.ts';

/** What is put after `nar/HASH.nar`. Not for gzip: web servers take `.gz` for a Content-Encoding and undo it. */
const EXTENSIONS: Readonly<Record<string, string>> = { xz: '.xz', zstd: '.zst', br: '.br' };

export type WriteOptions = Pick<PutOptions, 'onRetry' | 'onUpload' | 'signal'>;

/** So many files are compressed at once: more would not be faster, and xz takes 100 MB for each. */
const MAX_ENCODERS = 2;

export class CacheWriter {
  readonly #transport: CacheTransport;
  readonly #options: BinaryCacheOptions;
  readonly #cacheInfo: CacheInfo;
  readonly #signer: Signer;
  readonly #encoding = new Turns(MAX_ENCODERS);
  #prepared: Promise<WritableTransport> | undefined;

  constructor(transport: CacheTransport, options: BinaryCacheOptions, cacheInfo: CacheInfo) {
    this.#transport = transport;
    this.#options = options;
    this.#signer = new Signer(options.storeDir, options.secretKeyFiles);
    this.#cacheInfo = cacheInfo;
  }

  /** Makes sure that there is a cache to write to. */
  prepare(): Promise<WritableTransport> {
    this.#prepared ??= this.#makeCache().catch((error) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  /**
   * Compresses a NAR into the cache.
   *
   * @throws {HashMismatchError} when the bytes are not `info.narHash` and `info.narSize`; nothing is kept then.
   */
  async writeNar(info: PathInfo, nar: NarSource, options: WriteOptions = {}): Promise<NarInfo> {
    const { signal } = options;
    const transport = await this.prepare();
    const { compression, compressionLevel: level, storeDir } = this.#options;
    const hash = createHash('sha256');
    let fileSize = 0;
    let written: NarInfo | undefined;
    await transport.putFile(
      async (sink) => {
        const put: Sink = (chunk) => {
          hash.update(chunk);
          fileSize += chunk.length;
          return sink(chunk);
        };
        using _turn = await this.#encoding.take(signal);
        using encoder = openEncoder(compression, put, { level });
        await verifyNar(
          storeDir,
          info,
          nar,
        )((chunk) => {
          signal?.throwIfAborted();
          return encoder.push(chunk);
        });
        await encoder.finish();
        const fileHash = { algorithm: 'sha256', digest: new Uint8Array(hash.digest()) } as const;
        const url = `nar/${printDigest(fileHash, 'nix32')}.nar${EXTENSIONS[compression] ?? ''}`;
        const { path, narHash, narSize, references, deriver, signatures, contentAddress } = info;
        const facts = { path, narHash, narSize, references, deriver, signatures, contentAddress };
        written = { ...facts, url, compression, fileHash, fileSize };
        return url;
      },
      { ...options, unlessExists: true }, // its name is its hash
    );
    return written!;
  }

  /** Signs and writes the narinfo; returns it as it was written. */
  async writeNarInfo(narInfo: NarInfo, options: QueryOptions = {}): Promise<NarInfo> {
    const transport = await this.prepare();
    const signed = await this.#signer.sign(narInfo);
    await putText(transport, narInfoName(signed.path), printNarInfo(this.#options.storeDir, signed), options);
    return signed;
  }

  async #makeCache(): Promise<WritableTransport> {
    const transport = this.#transport;
    if (!isWritable(transport)) throw new StoreError(`binary cache '${transport.uri}' can only be read`);
    if ((await this.#cacheInfo.find()) !== undefined) return transport;
    const { storeDir, priority, wantMassQuery } = this.#options;
    const info: NixCacheInfo = { storeDir, priority, wantMassQuery: wantMassQuery ?? false };
    await putText(transport, CACHE_INFO, printNixCacheInfo(info));
    this.#cacheInfo.made(info);
    return transport;
  }
}

async function putText(
  transport: WritableTransport,
  name: string,
  text: string,
  options: QueryOptions = {},
): Promise<void> {
  await transport.putFile(async (sink) => {
    await sink(Buffer.from(text));
    return name;
  }, options);
}
