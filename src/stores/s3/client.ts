/** Requests to S3 other than downloads: signed, tried again where that may help, with S3's own words for what is wrong. */
import { FormatError, TransferError } from '../../errors.ts';
import { quote } from '../../formats/quote.ts';
import { type HttpAgent, openAgent } from '../http/agent.ts';
import { type Attempt, withRetries } from '../http/retry.ts';
import { type SendBody, type SentResponse, send } from '../http/send.ts';
import type { HttpTransportSettings } from '../http/transport.ts';
import { userAgent } from '../http/user-agent.ts';
import { type Floor, TransferWatch, type WatchedRequest } from '../http/watch.ts';
import type { QueryOptions } from '../store.ts';
import { parseS3ErrorCode, s3Error } from './errors.ts';
import type { S3Location } from './location.ts';
import type { S3Signer } from './sign.ts';

export interface S3Request extends QueryOptions {
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'POST' | 'PUT';
  /** Of the file, relative to the cache. */
  readonly name: string;
  readonly query?: Readonly<Record<string, string>>;
  /** By lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: S3Body | undefined;
  /** Called with the number of bytes of the body that went over the wire; each call adds to the last. */
  readonly onUpload?: ((bytes: number) => void) | undefined;
}

/** What is sent. */
export interface S3Body extends SendBody {
  /** In base 16. */
  readonly sha256: string;
}

export type S3Settings = HttpTransportSettings;

export class S3Client implements AsyncDisposable {
  readonly #location: S3Location;
  readonly #settings: S3Settings;
  readonly #sign: S3Signer;
  readonly #agent: HttpAgent;
  readonly #watch: TransferWatch;

  constructor(location: S3Location, settings: S3Settings, sign: S3Signer) {
    this.#location = location;
    this.#settings = settings;
    this.#sign = sign;
    this.#agent = openAgent(settings);
    this.#watch = new TransferWatch([settings.connectTimeout, settings.stalledDownloadTimeout]);
  }

  /** Whether a name is that of a file in the cache, be it there or not: narinfo files may point elsewhere. */
  holds(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** @throws {TransferError} on an answer that is no success. */
  async send(request: S3Request): Promise<SentResponse> {
    const url = this.#locate(request);
    const { connectTimeout, stalledDownloadTimeout } = this.#settings;
    const floor: Floor =
      request.impatient && connectTimeout > 0
        ? { seconds: connectTimeout, bytesPerSecond: 1, setting: 'connect-timeout' }
        : { seconds: stalledDownloadTimeout, bytesPerSecond: 1, setting: 'stalled-download-timeout' };
    using watched = this.#watch.watch(floor);
    return await withRetries(this.#settings, request, () => this.#attempt(request, url, watched));
  }

  /** Whether there is such a file. Who may not list the bucket is told that it is forbidden where there is none. */
  async exists(name: string, options: QueryOptions): Promise<boolean> {
    try {
      await this.send({ ...options, method: 'HEAD', name });
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.#agent.destroy();
  }

  async #attempt(request: S3Request, url: URL, watched: WatchedRequest): Promise<Attempt<SentResponse>> {
    const { method, headers = {}, body, signal, onUpload } = request;
    watched.attempt();
    const unsigned = { 'user-agent': userAgent(this.#settings.userAgentSuffix), ...headers };
    const signed = await this.#sign({ method, url, headers: unsigned, payloadHash: body?.sha256 });
    const outcome = await send(this.#agent, { method, url, headers: signed, body, signal, watched, onUpload });
    if (outcome.state === 'failed') return outcome;
    const response = outcome.value;
    // When S3 has begun to answer a long request with 200, only the body can still say that it failed.
    const failed = response.status < 200 || response.status > 299 || parseS3ErrorCode(response.body) !== undefined;
    if (!failed) return outcome;
    const context = { method, url, bucket: this.#location.bucket, signed: 'authorization' in signed };
    return { state: 'failed', error: s3Error(response, context) };
  }

  #locate({ name, query = {} }: S3Request): URL {
    const url = this.#find(name);
    if (url === undefined) {
      throw new FormatError('URL', 0, `${quote(name)} names no file of the binary cache '${this.#location.url.href}'`);
    }
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    return url;
  }

  #find(name: string): URL | undefined {
    const base = this.#location.url;
    const url = URL.canParse(name, base.href) ? new URL(name, base) : undefined;
    return url?.href.startsWith(base.href) ? url : undefined;
  }
}

/** Whether an answer may mean that there is no such file. */
function isMissing(error: unknown): boolean {
  return error instanceof TransferError && (error.status === 403 || error.status === 404 || error.status === 410);
}
