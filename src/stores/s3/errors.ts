/**
 * What S3 says when it refuses: `<Error><Code>…</Code>…</Error>`. Of that only the code is repeated in messages, and
 * what can be done about it.
 *
 * Source: Amazon S3 API Reference, "Error responses"; which are worth another attempt: Nix 2.35 libstore/filetransfer.cc.
 */
import { TransferError } from '../../errors.ts';
import { showUrl } from '../http/failure.ts';
import { isTransientStatus, parseRetryAfter } from '../http/retry.ts';

/** An answer with a status that is no success. */
export interface S3Refusal {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

/** Whether the request was signed tells what may be wrong with it. */
export interface S3RefusalContext {
  readonly method: string;
  readonly url: URL;
  readonly bucket: string;
  readonly signed: boolean;
}

const TRANSIENT: ReadonlySet<string> = new Set([
  'IncompleteBody',
  'InternalError',
  'InternalFailure',
  'InternalServerError',
  'RequestExpired',
  'RequestThrottled',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'Throttling',
  'ThrottledException',
]);

const ANONYMOUS_HINT =
  'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with ?profile=NAME';
const EXPIRED_HINT = 'the session has expired: log in again, or set a new AWS_SESSION_TOKEN';

/** What can be done, by the code of the error. */
const HINTS: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: 'S3 does not know this access key: look at AWS_ACCESS_KEY_ID, or at the profile',
  SignatureDoesNotMatch:
    'the secret key is wrong, or ?region= or ?endpoint=: look at AWS_SECRET_ACCESS_KEY, or at the profile',
  ExpiredToken: EXPIRED_HINT,
  InvalidToken: EXPIRED_HINT,
  TokenRefreshRequired: EXPIRED_HINT,
  AccessDenied:
    'the credentials do not allow it; without the permission s3:ListBucket this is also said of a file that is missing',
  NoSuchBucket: 'make the bucket first, or look at its name, ?region= and ?endpoint=',
  RequestTimeTooSkewed: 'the clock of this machine differs from that of the server',
};

/** The code of an error, or undefined where the body has none. */
export function parseS3ErrorCode(body: Uint8Array): string | undefined {
  return /<Error>.*?<Code>\s*([A-Za-z0-9.]{1,64})\s*<\/Code>/s.exec(Buffer.from(body).toString())?.[1];
}

/** The error for an answer that is no success. */
export function s3Error(refusal: S3Refusal, { method, url, bucket, signed }: S3RefusalContext): TransferError {
  const { status, headers, body } = refusal;
  const code = parseS3ErrorCode(body);
  const said = code === undefined ? `status ${status}` : `status ${status}, ${code}`;
  return new TransferError(`S3 answered ${method} ${showUrl(url)} with ${said}`, {
    status,
    transient: (code !== undefined && TRANSIENT.has(code)) || isTransientStatus(status),
    retryAfter: parseRetryAfter(headers['retry-after'], Date.now()),
    hint: regionHint(refusal, bucket) ?? hintFor(status, code, signed),
  });
}

function hintFor(status: number, code: string | undefined, signed: boolean): string | undefined {
  const unauthorized = status === 401 || status === 403;
  if (!signed && (unauthorized || status === 400)) return ANONYMOUS_HINT;
  if (code !== undefined && Object.hasOwn(HINTS, code)) return HINTS[code];
  return unauthorized ? HINTS.AccessDenied : undefined;
}

/** A bucket knows its region, and says so to those who look for it in another one. */
function regionHint({ status, headers, body }: S3Refusal, bucket: string): string | undefined {
  if (status !== 301 && status !== 307 && status !== 400) return undefined;
  const header = String(headers['x-amz-bucket-region'] ?? '');
  const region = header || (/<Region>([^<]*)<\/Region>/.exec(Buffer.from(body).toString())?.[1] ?? '');
  return /^[a-z0-9-]{1,64}$/.test(region) ? `bucket '${bucket}' is in another region: ?region=${region}` : undefined;
}
