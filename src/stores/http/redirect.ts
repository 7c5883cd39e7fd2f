/** Redirects, which caches that keep their files elsewhere answer with. */
import { TransferError } from '../../errors.ts';
import { quote } from '../../formats/quote.ts';
import { showUrl } from './failure.ts';

export const MAX_REDIRECTS = 10;

/** The statuses that name another URL. */
export const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * @param location - the header of that name.
 * @throws {TransferError} where it names nothing that can be asked over HTTP.
 */
export function followRedirect(from: URL, location: string | string[] | undefined): URL {
  const target = String(location ?? '');
  const url = target !== '' && URL.canParse(target, from.href) ? new URL(target, from) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new TransferError(`${showUrl(from)} redirects to ${quote(target)}, which is no URL to fetch from`);
}
