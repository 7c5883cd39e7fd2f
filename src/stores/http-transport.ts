/**
 * A binary cache behind HTTP, read only. Every store has connections of its own, kept alive between requests.
 *
 * Source: Nix 2.35 libstore/http-binary-cache-store.cc, libstore/filetransfer.cc.
 */
import { FormatError, SubstituteGoneError, TransferError } from '../errors.ts';
import { quote } from '../formats/quote.ts';
import { withoutCredentials } from '../formats/store-reference.ts';
import type { CacheTransport } from './cache-transport.ts';
import { type Codec, isCompression, openDecoder } from './compression.ts';
import { type HttpAgent, type HttpSettings, openAgent } from './http-agent.ts';
import { exchange, type HttpHead, showUrl } from './http-exchange.ts';
import type { NarOptions, QueryOptions, Sink } from './store.ts';

/** How this program introduces itself. */
export const USER_AGENT = 'sluice/0.1.0';

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** 403 is what S3 answers for a file that is not there, to those who may not list the bucket. */
const MISSING: ReadonlySet<number> = new Set([403, 404, 410]);
export class HttpTransport implements CacheTransport {
  readonly uri: string;
  readonly mayBeNew = false;
  readonly #base: URL;
  readonly #authorization: string | undefined;
  readonly #agent: HttpAgent;

  /** @param url - of the cache, without query; user name and password in it are sent to its host, and shown nowhere. */
  constructor(url: string, settings: HttpSettings) {
    this.uri = withoutCredentials(url);
    this.#base = new URL(url.endsWith('/') ? url : `${url}/`);
    this.#authorization = takeAuthorization(this.#base);
    this.#agent = openAgent(settings);
  }

  async getFile(name: string, maxSize: number, options: QueryOptions = {}): Promise<Uint8Array | undefined> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const found = await this.#fetch(name, { ...options, synchronous: true }, (chunk) => {
      size += chunk.length;
      if (size > maxSize) {
        throw new TransferError(`${quote(name)} of binary cache '${this.uri}' has more than ${maxSize} bytes`);
      }
      chunks.push(Buffer.from(chunk));
    });
    return found ? Buffer.concat(chunks) : undefined;
  }

  async streamFile(name: string, sink: Sink, options: NarOptions = {}): Promise<void> {
    const found = await this.#fetch(name, options, sink);
    if (!found) throw new SubstituteGoneError(`there is no ${quote(name)} in binary cache '${this.uri}'`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  /** Follows redirects to the end. Answers whether the file is there; it has been poured into `sink` then. */
  async #fetch(name: string, options: NarOptions, sink: Sink): Promise<boolean> {
    let url = this.#locate(name);
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const request = { ...options, url, headers: this.#headers(url) };
      const { status, headers } = await exchange(this.#agent, request, (head) =>
        head.status === 200 ? openBody(url, head, sink) : undefined,
      );
      if (status === 200) return true;
      if (MISSING.has(status)) return false;
      if (!REDIRECTS.has(status)) throw statusError(url, status);
      url = redirect(url, headers.location);
    }
    throw new TransferError(`${showUrl(this.#locate(name))} redirects more than ${MAX_REDIRECTS} times`);
  }

  /** @param name - may be a whole URL: narinfo files may point to another host. */
  #locate(name: string): URL {
    const url = URL.canParse(name, this.#base.href) ? new URL(name, this.#base) : undefined;
    if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
    throw new FormatError('URL', 0, `${quote(name)} names no file of the binary cache '${this.uri}'`);
  }

  #headers(url: URL): Record<string, string> {
    const headers: Record<string, string> = { 'user-agent': USER_AGENT };
    const own = url.origin === this.#base.origin; // no other host is to see the password
    if (own && this.#authorization !== undefined) headers.authorization = this.#authorization;
    return headers;
  }
}

/** Undoes the Content-Encoding: with some hosts every file has one, asked for or not. */
function openBody(url: URL, { headers }: HttpHead, sink: Sink): Codec {
  const encoding = String(headers['content-encoding'] ?? 'identity').toLowerCase();
  const compression = encoding === 'identity' ? 'none' : encoding.replace(/^x-/, '');
  if (!isCompression(compression))
    throw new TransferError(`${showUrl(url)} has the unknown encoding ${quote(encoding)}`);
  return openDecoder(compression, sink, { what: `${compression} encoding of ${showUrl(url)}` });
}

function redirect(from: URL, location: string | string[] | undefined): URL {
  const target = String(location ?? '');
  const url = target !== '' && URL.canParse(target, from.href) ? new URL(target, from) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new TransferError(`${showUrl(from)} redirects to ${quote(target)}, which is no URL to fetch from`);
}

function statusError(url: URL, status: number): TransferError {
  const wantsCredentials = status === 401 || status === 407;
  const hint = { hint: 'the cache wants user name and password: https://USER:PASSWORD@HOST/…' };
  return new TransferError(`${showUrl(url)} answered with status ${status}`, { status, ...(wantsCredentials && hint) });
}

/** Takes user name and password out of `url`. */
function takeAuthorization(url: URL): string | undefined {
  const { username, password } = url;
  url.username = '';
  url.password = '';
  if (username === '' && password === '') return undefined;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}
