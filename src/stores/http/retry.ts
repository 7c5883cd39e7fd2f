/**
 * Which requests that failed are made again, and when.
 *
 * Source: Nix 2.35 manual, "nix.conf", filetransfer-retry-*; libstore/filetransfer.cc.
 */
import { setTimeout } from 'node:timers/promises';
import { type SluiceError, TimedOutError, TransferError } from '../../errors.ts';
import type { Settings } from '../../settings.ts';
import type { QueryOptions } from '../store.ts';

export type RetrySettings = Pick<
  Settings,
  | 'filetransferRetryAttempts'
  | 'filetransferRetryDelay'
  | 'filetransferRetryDelayRateLimited'
  | 'filetransferRetryJitter'
  | 'filetransferRetryMaxDelay'
>;

/** What one attempt came to. Only a failure that is transient is worth another one; what is thrown never is. */
export type Attempt<T> =
  | { readonly state: 'succeeded'; readonly value: T }
  | { readonly state: 'failed'; readonly error: SluiceError };

/** Waits for so many milliseconds, or throws the reason of the signal. */
export type Wait = (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;

export interface RetryOptions extends QueryOptions {
  /** How many bytes have come: an attempt that brought more than those before counts as the first. */
  readonly progress?: (() => number) | undefined;
  /** In place of the clock. */
  readonly wait?: Wait | undefined;
}

/** In bytes: for less than this another cache is a better choice than one whose connections break. */
const WORTH_RESUMING = 64 * 1024;
/** In milliseconds: for how long somebody waits at most who could ask another cache. */
const LONGEST_IMPATIENT = 2_000;
/** What a timer of Node takes. */
const LONGEST = 2 ** 31 - 1;

/**
 * Makes attempts until one succeeds, or there is no use in another.
 *
 * @throws the failure of the last attempt, and the reason of the signal.
 */
export async function withRetries<T>(
  settings: RetrySettings,
  options: RetryOptions,
  attempt: () => Promise<Attempt<T>>,
): Promise<T> {
  const { signal, impatient = false, onRetry, progress = () => 0, wait = waitFor } = options;
  const start = progress();
  let reached = start;
  for (let failures = 1; ; failures++) {
    const outcome = await attempt();
    if (outcome.state === 'succeeded') return outcome.value;
    const { error } = outcome;
    if (progress() - reached >= (impatient ? WORTH_RESUMING : 1)) {
      reached = progress();
      failures = 1;
    }
    const othersAreBetter = impatient && (reached === start || error instanceof TimedOutError);
    if (!error.transient || othersAreBetter || failures >= settings.filetransferRetryAttempts) throw error;
    onRetry?.(error);
    const delay = retryDelay(settings, failures, error);
    await wait(impatient ? Math.min(delay, LONGEST_IMPATIENT) : delay, signal);
  }
}

/**
 * The milliseconds from a failure to the next attempt: they double, and vary between the half and the whole of that
 * where they are to vary. The time that a server asked for is the least, but it cannot ask for more than the setting
 * allows: a run that nothing else can help still comes to an end.
 *
 * @param failures - in a row, without progress between them: from 1.
 */
export function retryDelay(settings: RetrySettings, failures: number, error: SluiceError): number {
  const {
    filetransferRetryDelay,
    filetransferRetryDelayRateLimited,
    filetransferRetryJitter,
    filetransferRetryMaxDelay,
  } = settings;
  const first = isRateLimited(error) ? filetransferRetryDelayRateLimited : filetransferRetryDelay;
  const most = Math.min(filetransferRetryMaxDelay, LONGEST);
  const doubled = Math.min(most, first * 2 ** (failures - 1));
  const chosen = filetransferRetryJitter ? doubled * (0.5 + Math.random() / 2) : doubled;
  return Math.max(chosen, Math.min(most, error.retryAfter ?? 0));
}

function isRateLimited(error: SluiceError): boolean {
  return error instanceof TransferError && (error.status === 429 || error.status === 503);
}

/** Whether the same request may well get another answer later. */
export function isTransientStatus(status: number): boolean {
  if (status === 408 || status === 429) return true;
  // Not implemented, HTTP version not supported, network authentication required: that stays so.
  return status >= 500 && status < 600 && status !== 501 && status !== 505 && status !== 511;
}

/**
 * Reads header Retry-After, which has seconds or a date.
 *
 * @param now - in milliseconds, as `Date.now` has it.
 * @returns milliseconds, or undefined where the header is missing or makes no sense.
 */
export function parseRetryAfter(value: string | string[] | undefined, now: number): number | undefined {
  const text = String(value ?? '').trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN; // Date.parse takes nearly anything
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

async function waitFor(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted(); // with the reason itself
    throw error;
  }
}
