/**
 * Downloads of files that belong to no binary cache, with all that requests to one have: attempts, resuming, detection
 * of what hangs, proxies, credentials, certificates.
 *
 * Bytes are as the server has them: where it says that they have an encoding, that stays.
 *
 * Source: Nix 2.35 libstore/filetransfer.cc; libstore/builtins/fetchurl.cc.
 */
import { FormatError, TransferError } from '../../errors.ts';
import { quote } from '../../formats/quote.ts';
import { withoutCredentials } from '../../formats/store-reference.ts';
import type { NarOptions, Sink } from '../store.ts';
import { type HttpAgent, openAgent } from './agent.ts';
import type { HttpBody } from './body.ts';
import { Credentials } from './credentials.ts';
import type { HttpHead } from './exchange.ts';
import { describeStatus } from './failure.ts';
import { stallFloor } from './floors.ts';
import { get } from './get.ts';
import { ResumableBody } from './resumable-body.ts';
import { withRetries } from './retry.ts';
import type { HttpTransportSettings } from './transport.ts';
import { userAgent } from './user-agent.ts';
import { TransferWatch } from './watch.ts';

export class Downloader implements AsyncDisposable {
  readonly #settings: HttpTransportSettings;
  readonly #agent: HttpAgent;
  readonly #watch: TransferWatch;

  constructor(settings: HttpTransportSettings) {
    this.#settings = settings;
    this.#agent = openAgent(settings);
    const { connectTimeout, narinfoTimeout, stalledDownloadTimeout } = settings;
    this.#watch = new TransferWatch([connectTimeout, narinfoTimeout, stalledDownloadTimeout]);
  }

  /**
   * Pours a file into `sink`, and is done when the last byte has been taken. Errors of the sink pass as they are.
   *
   * @param url - of http or https; a user name and a password in it are for its host, and shown nowhere.
   * @throws {TransferError} where there is no such file, or not all of it comes.
   */
  async download(url: string, sink: Sink, options: NarOptions = {}): Promise<void> {
    if (!URL.canParse(url)) throw new FormatError('URL', 0, `${quote(withoutCredentials(url))} is no URL`);
    const target = new URL(url);
    const credentials = new Credentials(target, this.#settings.netrcFile);
    const agentName = userAgent(this.#settings.userAgentSuffix);
    const body = new RawBody(new ResumableBody(sink));
    using watched = this.#watch.watch(stallFloor(this.#settings, options));
    const found = await withRetries(this.#settings, { progress: () => body.position, ...options }, () =>
      get(target, body, {
        ...options,
        agent: this.#agent,
        watched,
        headers: async (hop, own) => {
          const authorization = await credentials.authorizationFor(hop);
          return { 'user-agent': agentName, ...own, ...(authorization !== undefined && { authorization }) };
        },
      }),
    );
    if (!found) throw body.missing ?? new TransferError(`there is no ${quote(withoutCredentials(url))}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.#agent.destroy();
  }
}

/** A body as it was sent; it remembers how a server said that it has none. */
class RawBody implements HttpBody {
  readonly #inner: ResumableBody;
  missing: TransferError | undefined;

  constructor(inner: ResumableBody) {
    this.#inner = inner;
  }

  get headers(): HttpBody['headers'] {
    return this.#inner.headers;
  }

  get isWhole(): boolean {
    return this.#inner.isWhole;
  }

  get position(): number {
    return this.#inner.position;
  }

  problem(url: URL, head: HttpHead): ReturnType<ResumableBody['problem']> {
    return this.#inner.problem(url, head);
  }

  open(url: URL, head: HttpHead): ReturnType<ResumableBody['open']> {
    if (head.status >= 400) this.missing = describeStatus(head, url);
    const { 'content-encoding': _, ...headers } = head.headers;
    return this.#inner.open(url, { ...head, headers });
  }
}
