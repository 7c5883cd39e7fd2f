/** One attempt at a file, through all redirects. */
import { TransferError } from '../../errors.ts';
import type { NarOptions } from '../store.ts';
import type { HttpAgent } from './agent.ts';
import type { HttpBody } from './body.ts';
import { exchange } from './exchange.ts';
import { describeStatus, showUrl } from './failure.ts';
import { followRedirect, MAX_REDIRECTS, REDIRECTS } from './redirect.ts';
import type { Attempt } from './retry.ts';
import type { WatchedRequest } from './watch.ts';

/** 403 is what S3 answers for a file that is not there, to those who may not list the bucket. */
const MISSING: ReadonlySet<number> = new Set([403, 404, 410]);

export interface GetOptions extends NarOptions {
  readonly agent: HttpAgent;
  readonly watched: WatchedRequest;
  /** How many bytes the file has at most, where that is known. */
  readonly expectedSize?: number | undefined;
  /** The headers to send with a request, `own` among them. */
  readonly headers: (url: URL, own: HttpBody['headers']) => Promise<Record<string, string>>;
}

/**
 * Asks for a file, or for what is missing of it.
 *
 * @returns whether it is there; all of it has gone to `body` then.
 * @throws what makes further attempts pointless.
 */
export async function get(first: URL, body: HttpBody, options: GetOptions): Promise<Attempt<boolean>> {
  const { agent, watched, headers: headersFor } = options;
  let url = first;
  watched.attempt();
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const headers = await headersFor(url, body.headers);
    let wanted = false;
    const outcome = await exchange(agent, { ...options, url, headers }, (head) => {
      const codec = body.open(url, head);
      wanted = codec !== undefined;
      return codec;
    });
    if (body.isWhole) return { state: 'succeeded', value: true };
    if (outcome.state === 'broken') return { state: 'failed', error: outcome.error };
    const { head } = outcome;
    const problem = body.problem(url, head);
    if (problem !== undefined) return { state: 'failed', error: problem };
    if (wanted || MISSING.has(head.status)) return { state: 'succeeded', value: wanted };
    if (!REDIRECTS.has(head.status)) return { state: 'failed', error: describeStatus(head, url) };
    url = followRedirect(url, head.headers.location);
  }
  throw new TransferError(`${showUrl(first)} redirects more than ${MAX_REDIRECTS} times`);
}
