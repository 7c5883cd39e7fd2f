/**
 * A binary cache behind HTTP. Every store has connections of its own, kept alive between requests.
 *
 * Source: Nix 2.35 libstore/http-binary-cache-store.cc, libstore/filetransfer.cc.
 */
import { FormatError, SubstituteGoneError, TransferError } from '../../errors.ts';
import { quote } from '../../formats/quote.ts';
import { withoutCredentials } from '../../formats/store-reference.ts';
import { mediaType } from '../binary-cache/media-type.ts';
import type { PutOptions, StreamOptions, WritableTransport } from '../cache-transport.ts';
import { Spool } from '../spool.ts';
import type { NarOptions, QueryOptions, Sink } from '../store.ts';
import { type HttpAgent, type HttpSettings, openAgent } from './agent.ts';
import { type HttpBody, SmallBody } from './body.ts';
import { Credentials } from './credentials.ts';
import { type FloorSettings, stallFloor, wholeFloor } from './floors.ts';
import { type GetOptions, get } from './get.ts';
import { ResumableBody } from './resumable-body.ts';
import { type Attempt, type RetrySettings, type Wait, withRetries } from './retry.ts';
import { fileExists, type UploadRoute, uploadFile } from './upload.ts';
import { userAgent } from './user-agent.ts';
import { TransferWatch, type WatchedRequest } from './watch.ts';

/** All that requests to a binary cache depend on. */
export type HttpTransportSettings = FloorSettings & HttpSettings & RetrySettings;

/** A request that is to be signed. */
export interface UnsignedRequest {
  readonly method: string;
  readonly url: URL;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The sha256 of the body in base 16, where there is one. */
  readonly payloadHash?: string | undefined;
}

export interface HttpOptions {
  /** The headers to send, where requests are signed: called for every attempt. */
  readonly sign?: ((request: UnsignedRequest) => Promise<Record<string, string>>) | undefined;
  /** In place of the clock, between attempts. */
  readonly wait?: Wait | undefined;
}

/** What the files that are kept in memory have hardly ever more than, in bytes. */
const SMALL_FILE = 16 * 1024;

type GetHints = NarOptions & Pick<GetOptions, 'expectedSize'>;

export class HttpTransport implements WritableTransport {
  readonly uri: string;
  readonly mayBeNew = false;
  readonly servesRanges = true;
  readonly #base: URL;
  readonly #credentials: Credentials;
  readonly #userAgent: string;
  readonly #agent: HttpAgent;
  readonly #watch: TransferWatch;
  readonly #settings: HttpTransportSettings;
  readonly #options: HttpOptions;

  /** @param url - of the cache, without query; user name and password in it are sent to its host, and shown nowhere. */
  constructor(url: string, settings: HttpTransportSettings, options: HttpOptions = {}) {
    this.uri = withoutCredentials(url);
    this.#base = new URL(url.endsWith('/') ? url : `${url}/`);
    this.#credentials = new Credentials(this.#base, settings.netrcFile);
    this.#userAgent = userAgent(settings.userAgentSuffix);
    this.#agent = openAgent(settings);
    const { connectTimeout, narinfoTimeout, stalledDownloadTimeout } = settings;
    this.#watch = new TransferWatch([connectTimeout, narinfoTimeout, stalledDownloadTimeout]);
    this.#settings = settings;
    this.#options = options;
  }

  async getFile(name: string, maxSize: number, options: QueryOptions = {}): Promise<Uint8Array | undefined> {
    const body = new SmallBody(maxSize, () => {
      return new TransferError(`${quote(name)} of binary cache '${this.uri}' has more than ${maxSize} bytes`);
    });
    const url = this.#locate(name);
    using watched = this.#watch.watch(wholeFloor(this.#settings, options));
    const attempt = (): Promise<Attempt<boolean>> =>
      this.#get(url, body, watched, { ...options, synchronous: true, expectedSize: SMALL_FILE });
    const found = await withRetries(this.#settings, { wait: this.#options.wait, ...options }, attempt);
    return found ? body.contents : undefined;
  }

  async streamFile(name: string, sink: Sink, options: StreamOptions = {}): Promise<void> {
    const { offset = 0, size, length } = options;
    const body = new ResumableBody(sink, offset, size, length);
    if (offset > 0 && body.isWhole) return;
    const url = this.#locate(name);
    using watched = this.#watch.watch(stallFloor(this.#settings, options));
    const retrying = { wait: this.#options.wait, progress: () => body.position, ...options };
    const found = await withRetries(this.#settings, retrying, () =>
      this.#get(url, body, watched, {
        ...options,
        expectedSize: size === undefined ? undefined : (length ?? size - offset),
      }),
    );
    if (!found) throw new SubstituteGoneError(`there is no ${quote(name)} in binary cache '${this.uri}'`);
  }

  async putFile(pour: (sink: Sink) => Promise<string>, options: PutOptions = {}): Promise<void> {
    using spool = new Spool();
    const name = await pour((chunk) => spool.push(chunk));
    const url = this.#locate(name);
    const { signal, onRetry, onUpload, unlessExists } = options;
    const route: UploadRoute = {
      agent: this.#agent,
      settings: this.#settings,
      wait: this.#options.wait,
      headers: (method, url, own) => this.#headers(method, url, own),
    };
    if (unlessExists) {
      using watched = this.#watch.watch(wholeFloor(this.#settings));
      if (await fileExists(route, url, { signal, onRetry, watched })) return;
    }
    using watched = this.#watch.watch(stallFloor(this.#settings));
    await uploadFile(route, url, spool, mediaType(name), { signal, onRetry, onUpload, watched });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.#agent.destroy();
  }

  #get(url: URL, body: HttpBody, watched: WatchedRequest, options: GetHints): Promise<Attempt<boolean>> {
    const headers: GetOptions['headers'] = (url, own) => this.#headers('GET', url, own);
    return get(url, body, { ...options, agent: this.#agent, watched, headers });
  }

  /** @param name - may be a whole URL: narinfo files may point to another host. */
  #locate(name: string): URL {
    const url = URL.parse(name, this.#base.href);
    if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
    throw new FormatError('URL', 0, `${quote(name)} names no file of the binary cache '${this.uri}'`);
  }

  /** @param own - those of this request. */
  async #headers(method: string, url: URL, own: HttpBody['headers']): Promise<Record<string, string>> {
    const headers: Record<string, string> = { 'user-agent': this.#userAgent, ...own };
    const { sign } = this.#options;
    if (sign !== undefined && url.origin === this.#base.origin) return sign({ method, url, headers });
    const authorization = await this.#credentials.authorizationFor(url);
    if (authorization !== undefined) headers.authorization = authorization;
    return headers;
  }
}
