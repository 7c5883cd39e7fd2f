/**
 * Puts a file into a binary cache behind HTTP, by PUT. For single requests with a body see `send` in send.ts.
 *
 * Source: Nix 2.35 libstore/http-binary-cache-store.cc, upsertFile and fileExists.
 */
import { TransferError } from '../../errors.ts';
import type { QueryOptions } from '../store.ts';
import type { HttpAgent } from './agent.ts';
import { describeStatus, showUrl } from './failure.ts';
import { followRedirect, MAX_REDIRECTS, REDIRECTS } from './redirect.ts';
import { type Attempt, type RetrySettings, type Wait, withRetries } from './retry.ts';
import { type SendBody, type SendRequest, type SentResponse, send } from './send.ts';
import type { WatchedRequest } from './watch.ts';

/** What the transport has that is used. */
export interface UploadRoute {
  readonly agent: HttpAgent;
  readonly settings: RetrySettings;
  /** In place of the clock, between attempts. */
  readonly wait: Wait | undefined;
  /** The headers to send with a request, `own` among them. */
  headers(method: string, url: URL, own: Readonly<Record<string, string>>): Promise<Record<string, string>>;
}

export interface UploadOptions extends Pick<QueryOptions, 'onRetry' | 'signal'> {
  readonly watched: WatchedRequest;
  /** Called with the number of bytes that went over the wire; each call adds to the last. */
  readonly onUpload?: ((bytes: number) => void) | undefined;
}

/** By status: what may be wrong with a cache that does not take a file. */
const HINTS: Readonly<Record<number, string>> = {
  403: 'the cache lets nobody write, or not with these credentials',
  404: 'the cache takes no uploads at this URL',
  405: 'the cache takes no uploads',
  409: 'the server makes no directories: those for the file have to be there',
  413: "the server takes no files of that size: with nginx that is 'client_max_body_size'",
  500: "the server's log says why; where nginx is to make directories it wants 'create_full_put_path on'",
  501: 'the cache takes no uploads',
};

/**
 * Whether there is a file. A server that does not say so does not have it: the upload will tell what is wrong.
 *
 * @throws {TransferError} where it cannot be told now.
 */
export async function fileExists(route: UploadRoute, url: URL, options: UploadOptions): Promise<boolean> {
  const { wait, settings } = route;
  return await withRetries(settings, { wait, ...options }, async (): Promise<Attempt<boolean>> => {
    const outcome = await request(route, { method: 'HEAD', url, headers: {} }, options);
    if (outcome.state === 'failed') return outcome;
    const { response, url: answering } = outcome.value;
    if (isSuccess(response)) return { state: 'succeeded', value: true };
    const error = describeStatus(response, answering);
    return error.transient ? { state: 'failed', error } : { state: 'succeeded', value: false };
  });
}

/**
 * Puts a file in place of one that may be there.
 *
 * @param type - its media type.
 * @throws {TransferError} where the cache does not take it.
 */
export async function uploadFile(
  route: UploadRoute,
  url: URL,
  body: SendBody,
  type: string,
  options: UploadOptions,
): Promise<void> {
  const { wait, settings } = route;
  const headers = { 'content-type': type };
  await withRetries(settings, { wait, ...options }, async (): Promise<Attempt<void>> => {
    const outcome = await request(route, { method: 'PUT', url, headers, body }, options);
    if (outcome.state === 'failed') return outcome;
    const { response, url: answering } = outcome.value;
    if (isSuccess(response)) return { state: 'succeeded', value: undefined };
    return { state: 'failed', error: describeRefusal(response, answering) };
  });
}

interface Answer {
  readonly response: SentResponse;
  /** Where redirects led. */
  readonly url: URL;
}

/** One attempt: follows redirects to the end. */
async function request(route: UploadRoute, first: SendRequest, options: UploadOptions): Promise<Attempt<Answer>> {
  const { watched, signal, onUpload } = options;
  let { url } = first;
  watched.attempt();
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const headers = await route.headers(first.method, url, first.headers);
    const outcome = await send(route.agent, { ...first, url, headers, watched, signal, onUpload });
    if (outcome.state === 'failed') return outcome;
    const response = outcome.value;
    // After 303 nothing is to be sent any more.
    if (!REDIRECTS.has(response.status) || response.status === 303) {
      return { state: 'succeeded', value: { response, url } };
    }
    url = followRedirect(url, response.headers.location);
  }
  throw new TransferError(`${showUrl(first.url)} redirects more than ${MAX_REDIRECTS} times`);
}

function describeRefusal(response: SentResponse, url: URL): TransferError {
  const { status } = response;
  const { transient, retryAfter, hint = HINTS[status] } = describeStatus(response, url);
  return new TransferError(`${showUrl(url)} was not taken: status ${status}`, {
    status,
    transient,
    retryAfter,
    hint,
  });
}

function isSuccess({ status }: SentResponse): boolean {
  return status >= 200 && status < 300;
}
