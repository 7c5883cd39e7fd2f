/** Failures of caches by kind: when a cache is down every path fails in the same way, and once is enough to tell that. */
import { type ErrorCode, type SluiceError, TransferError } from '../../errors.ts';

/** More kinds of one cache are not told apart: what a message says is up to the cache. */
const MAX_KINDS = 8;
/** Of a message, what counts. */
const MAX_LENGTH = 500;

/** A file name, or a URL, in quotes. */
const QUOTED = /'[^']*'/g;
/** Quoted names, addresses with their ports, and whatever has a digit: what differs from path to path. */
const VARIABLE = /'[^']*'|\S*\d\S*/g;

const WORDS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_FORMAT: 'malformed answer',
  ERR_HASH_MISMATCH: 'wrong hash',
  ERR_INVALID_PATH: 'gone',
  ERR_STORE: 'store error',
  ERR_SUBSTITUTE_GONE: 'gone',
  ERR_TIMED_OUT: 'timeout',
  ERR_TRANSFER: 'failed transfer',
  ERR_UNTRUSTED: 'no trusted signature',
};

/** A failure in two or three words, for a count: `status 503`, `timeout`. */
export function failureKind(error: SluiceError): string {
  const status = statusOf(error);
  if (status !== undefined) return `status ${status}`;
  return WORDS[error.code] ?? error.code.replace(/^ERR_/, '').replaceAll('_', ' ').toLowerCase();
}

/** Tells the first failure of each cache and reason from those that say the same again. */
export class FirstFailures {
  readonly #told = new Map<string, Set<string>>();

  isFirst(substituter: string, error: SluiceError): boolean {
    const told = this.#told.get(substituter) ?? new Set();
    this.#told.set(substituter, told);
    const reason = `${failureKind(error)} ${error.message.slice(0, MAX_LENGTH).replace(VARIABLE, '…')}`;
    if (told.has(reason) || told.size >= MAX_KINDS) return false;
    told.add(reason);
    return true;
  }
}

/** An error from another thread keeps the words, and not the number. */
function statusOf(error: SluiceError): string | undefined {
  if (error instanceof TransferError && error.status !== undefined) return String(error.status);
  return error.code === 'ERR_TRANSFER' ? /\bstatus (\d{3})\b/.exec(error.message.replace(QUOTED, ''))?.[1] : undefined;
}
