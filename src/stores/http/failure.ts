/** What a request can fail by: how that is told, and whether it may pass. */
import { SluiceError, TimedOutError, TransferError } from '../../errors.ts';
import type { HttpHead } from './exchange.ts';
import { isTransientStatus, parseRetryAfter } from './retry.ts';
import { certificateHint } from './tls-trust.ts';

/** Codes of undici for what is our own doing, or stays as it is. */
const LASTING: ReadonlySet<string> = new Set([
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
]);

/** What undici says where no connection was made in time, and so does whoever stands in for it. */
export const CONNECT_TIMEOUT = 'UND_ERR_CONNECT_TIMEOUT';

/** A URL in a message: without credentials, and without the query, which can be as good as a password. */
export function showUrl(url: URL): string {
  return `'${url.origin}${url.pathname.slice(0, 300)}'`;
}

/** A request to `url` got no answer, or not all of it. */
export function describeFailure(
  cause: NodeJS.ErrnoException,
  url: URL,
  verb: 'fetch' | 'upload' = 'fetch',
): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const { code = '', message } = cause;
  if (code === CONNECT_TIMEOUT) {
    return new TimedOutError(`no connection for ${showUrl(url)} within the time of setting 'connect-timeout'`, {
      cause,
    });
  }
  const hint = certificateHint(code);
  // Where all addresses of a host failed, the message is empty. What Node advises is no option of this program.
  const problem = hint === undefined ? message || code : message.replace(/; if the root CA is .*/s, '');
  return new TransferError(`cannot ${verb} ${showUrl(url)}: ${problem}`, {
    cause,
    transient: hint === undefined && !LASTING.has(code),
    hint,
  });
}

/** A request to `url` got an answer that is of no use. */
export function describeStatus({ status, headers }: HttpHead, url: URL): TransferError {
  const wantsCredentials = status === 401 || status === 407;
  const transient = isTransientStatus(status);
  return new TransferError(`${showUrl(url)} answered with status ${status}`, {
    status,
    transient,
    retryAfter: transient ? parseRetryAfter(headers['retry-after'], Date.now()) : undefined,
    hint: wantsCredentials
      ? "the cache wants user name and password: https://USER:PASSWORD@HOST/…, or a line in setting 'netrc-file'"
      : undefined,
  });
}
