/**
 * A binary cache: `nix-cache-info` says which cache it is, `HASH.narinfo` what it knows of a path, and the URL in there
 * where its NAR is. What the files lie on is the transport's business.
 *
 * Source: Nix 2.35 libstore/binary-cache-store.cc.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  FormatError,
  HashMismatchError,
  InvalidPathError,
  StoreError,
  SubstituteGoneError,
  TimedOutError,
  TransferError,
} from '../errors.ts';
import { printDigest } from '../formats/hash.ts';
import { isNarInfo, MAX_NARINFO_SIZE, type NarInfo, parseNarInfo, printNarInfo } from '../formats/narinfo.ts';
import {
  MAX_NIX_CACHE_INFO_SIZE,
  type NixCacheInfo,
  parseNixCacheInfo,
  printNixCacheInfo,
} from '../formats/nix-cache-info.ts';
import { fingerprint, type PathInfo } from '../formats/path-info.ts';
import { parseSecretKey, type SecretKey, sign } from '../formats/signature.ts';
import { hashPart, printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { withoutCredentials } from '../formats/store-reference.ts';
import type { BinaryCacheOptions } from './binary-cache-params.ts';
import { type CacheTransport, isWritable, type WritableTransport } from './cache-transport.ts';
import { type Codec, openDecoder, openEncoder } from './compression.ts';
import { SharedRequests } from './shared-requests.ts';
import type { NarOptions, NarSource, QueryOptions, Sink, Store } from './store.ts';
import { verifyNar } from './verify-nar.ts';

const CACHE_INFO = 'nix-cache-info';
/** How many narinfos are remembered, as many as Nix's path-info-cache-size: about 100 MB when full. */
const MAX_KNOWN = 65_536;
/** What is put after `nar/HASH.nar`. Not for gzip: web servers take `.gz` for a Content-Encoding and undo it. */
const EXTENSIONS: Readonly<Record<string, string>> = { xz: '.xz', zstd: '.zst', br: '.br' };

export class BinaryCacheStore implements Store {
  readonly uri: string;
  readonly openUri: string;
  readonly storeDir: StoreDir;
  readonly #transport: CacheTransport;
  readonly #options: BinaryCacheOptions;
  /** In the order in which they came. */
  readonly #known = new Map<StorePath, NarInfo>();
  readonly #queries = new SharedRequests<StorePath, NarInfo | undefined>();
  #cacheInfo: Promise<NixCacheInfo | undefined> | undefined;
  #prepared: Promise<WritableTransport> | undefined;
  #secretKeys: Promise<readonly SecretKey[]> | undefined;

  /**
   * Nothing is read before it is needed.
   *
   * @param openUri - with credentials, if there are any.
   * @param transport - is the store's own from here on.
   */
  constructor(openUri: string, transport: CacheTransport, options: BinaryCacheOptions) {
    this.uri = withoutCredentials(openUri);
    this.openUri = openUri;
    this.storeDir = options.storeDir;
    this.#transport = transport;
    this.#options = options;
  }

  /**
   * What the cache says of itself, or the URI in its place.
   *
   * @throws {StoreError} on a cache of another store directory, and where there is no cache.
   */
  async queryCacheInfo(): Promise<NixCacheInfo> {
    const { storeDir, priority, wantMassQuery } = this.#options;
    const info = await this.#readCacheInfo();
    return {
      storeDir,
      priority: priority ?? info?.priority,
      wantMassQuery: wantMassQuery ?? info?.wantMassQuery ?? false,
    };
  }

  async queryPathInfo(path: StorePath, { signal }: QueryOptions = {}): Promise<NarInfo | undefined> {
    return this.#known.get(path) ?? this.#queries.run(path, signal, (signal) => this.#fetchInfo(path, signal));
  }

  async isValidPath(path: StorePath, options?: QueryOptions): Promise<boolean> {
    return (await this.queryPathInfo(path, options)) !== undefined;
  }

  async narFromPath(info: PathInfo, sink: Sink, options: NarOptions = {}): Promise<void> {
    const narInfo = isNarInfo(info) ? info : await this.queryPathInfo(info.path, options);
    if (narInfo === undefined) throw new InvalidPathError(this.#print(info.path), this.uri);
    const { url, compression, fileSize } = narInfo;
    const what = `${compression === 'none' ? 'uncompressed' : compression} file of '${this.#print(info.path)}' in binary cache '${this.uri}'`;
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
    await this.#transport.streamFile(url, receive, options).catch((error) => {
      throw this.#explain(error, info.path);
    });
    if (fileSize !== undefined && received < fileSize) throw wrongSize(what, fileSize, `${received} bytes`);
    await decode().finish();
  }

  async addToStore(info: PathInfo, nar: NarSource, options: QueryOptions = {}): Promise<void> {
    await this.#prepare();
    if (await this.isValidPath(info.path, options)) return;
    await this.#checkReferences(info, options); // before the work, which would be for nothing
    await this.writeNarInfo(await this.writeNar(info, nar, options), options);
  }

  /**
   * The first half of {@link BinaryCacheStore.addToStore}: compresses the NAR into the cache. Nobody sees it yet.
   *
   * @returns what is to be announced by {@link BinaryCacheStore.writeNarInfo}, be it in another thread.
   * @throws {HashMismatchError} when the bytes are not `info.narHash` and `info.narSize`; nothing is kept then.
   */
  async writeNar(info: PathInfo, nar: NarSource, { signal }: QueryOptions = {}): Promise<NarInfo> {
    const transport = await this.#prepare();
    const { compression, compressionLevel: level } = this.#options;
    const hash = createHash('sha256');
    let fileSize = 0;
    let written: NarInfo | undefined;
    await transport.putFile(async (sink) => {
      const put: Sink = (chunk) => {
        hash.update(chunk);
        fileSize += chunk.length;
        return sink(chunk);
      };
      using encoder = openEncoder(compression, put, { level });
      await verifyNar(
        this.storeDir,
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
    });
    return written!;
  }

  /**
   * The second half of {@link BinaryCacheStore.addToStore}: signs and writes the narinfo, which makes the path valid.
   *
   * @param narInfo - as {@link BinaryCacheStore.writeNar} answered it; its references must be valid already.
   */
  async writeNarInfo(narInfo: NarInfo, options: QueryOptions = {}): Promise<void> {
    const transport = await this.#prepare();
    await this.#checkReferences(narInfo, options);
    const signed = await this.#sign(narInfo);
    await putText(transport, narInfoName(signed.path), printNarInfo(this.storeDir, signed));
    this.#remember(signed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }

  async #fetchInfo(path: StorePath, signal: AbortSignal): Promise<NarInfo | undefined> {
    const name = narInfoName(path);
    const [bytes] = await Promise.all([
      this.#transport.getFile(name, MAX_NARINFO_SIZE, { signal }),
      this.#readCacheInfo(), // at the same time: it is not worth a round trip
    ]);
    if (bytes === undefined) return undefined;
    const info = this.#parse(name, bytes);
    if (info.path !== path) {
      const [wanted, got] = [this.#print(path), this.#print(info.path)];
      throw new FormatError('narinfo', 0, `${name} in '${this.uri}' is not for '${wanted}' but for '${got}'`);
    }
    this.#remember(info);
    return info;
  }

  #parse(name: string, bytes: Uint8Array): NarInfo {
    try {
      return parseNarInfo(this.storeDir, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      const problem = cause.message.replace(/^invalid narinfo at byte \d+: /, '');
      throw new FormatError(`${name} in '${this.uri}'`, cause.offset, problem, { cause });
    }
  }

  #remember(info: NarInfo): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(info.path, info);
  }

  /** Undefined where a cache is still to be made. A failure is not remembered. */
  #readCacheInfo(): Promise<NixCacheInfo | undefined> {
    this.#cacheInfo ??= this.#fetchCacheInfo().catch((error) => {
      this.#cacheInfo = undefined;
      throw error;
    });
    return this.#cacheInfo;
  }

  async #fetchCacheInfo(): Promise<NixCacheInfo | undefined> {
    const bytes = await this.#transport.getFile(CACHE_INFO, MAX_NIX_CACHE_INFO_SIZE);
    if (bytes === undefined) {
      if (isWritable(this.#transport)) return undefined;
      throw new StoreError(`'${this.uri}' is no binary cache: it has no ${CACHE_INFO}`);
    }
    const info = parseNixCacheInfo(Buffer.from(bytes).toString());
    if (info.storeDir !== undefined && info.storeDir !== this.storeDir) {
      throw new StoreError(
        `binary cache '${this.uri}' is for the store directory '${info.storeDir}', not '${this.storeDir}'`,
        { hint: `parameter 'store' says which one is wanted: ?store=${info.storeDir}` },
      );
    }
    return info;
  }

  /** Makes sure that there is a cache to write to. */
  #prepare(): Promise<WritableTransport> {
    this.#prepared ??= this.#makeCache().catch((error) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #makeCache(): Promise<WritableTransport> {
    const transport = this.#transport;
    if (!isWritable(transport)) throw new StoreError(`binary cache '${this.uri}' can only be read`);
    if ((await this.#readCacheInfo()) === undefined) {
      await putText(transport, CACHE_INFO, printNixCacheInfo(await this.queryCacheInfo()));
    }
    return transport;
  }

  async #checkReferences(info: PathInfo, options: QueryOptions): Promise<void> {
    for (const reference of info.references) {
      if (reference === info.path || (await this.isValidPath(reference, options))) continue;
      const hint = `add it first: '${this.#print(info.path)}' refers to it`;
      throw new InvalidPathError(this.#print(reference), this.uri, { hint });
    }
  }

  async #sign(info: NarInfo): Promise<NarInfo> {
    this.#secretKeys ??= Promise.all(this.#options.secretKeyFiles.map(readSecretKey));
    const keys = await this.#secretKeys;
    if (keys.length === 0) return info;
    const text = fingerprint(this.storeDir, info);
    const added = await Promise.all(keys.map((key) => sign(key, text)));
    return { ...info, signatures: [...new Set([...info.signatures, ...added])] };
  }

  /** Adds the path to what the transport says of a file. */
  #explain(error: unknown, path: StorePath): unknown {
    const printed = this.#print(path);
    if (error instanceof SubstituteGoneError) {
      this.#known.delete(path);
      return new SubstituteGoneError(`the NAR of '${printed}' is gone: ${error.message}`, { cause: error });
    }
    const message = `cannot fetch '${printed}' from '${this.uri}'`;
    if (error instanceof TimedOutError) return new TimedOutError(`${message}: ${error.message}`, { cause: error });
    if (!(error instanceof TransferError)) return error;
    const { status, hint } = error;
    const context = { cause: error, ...(status !== undefined && { status }), ...(hint !== undefined && { hint }) };
    return new TransferError(`${message}: ${error.message}`, context);
  }

  #print(path: StorePath): string {
    return printStorePath(this.storeDir, path);
  }
}

function narInfoName(path: StorePath): string {
  return `${hashPart(path)}.narinfo`;
}

async function putText(transport: WritableTransport, name: string, text: string): Promise<void> {
  await transport.putFile(async (sink) => {
    await sink(Buffer.from(text));
    return name;
  });
}

async function readSecretKey(file: string): Promise<SecretKey> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new StoreError(`cannot read secret key file '${file}': ${cause.message}`, { cause });
  });
  return parseSecretKey(text);
}

function wrongSize(what: string, wanted: number, got: string): HashMismatchError {
  return new HashMismatchError(`size of ${what}`, `${wanted} bytes`, got);
}
