/**
 * The connections to the hosts of a binary cache: how many, how they are made, and for how long they are kept. Requests
 * of the plainest kind have connections of their own, in plain/; all else is undici's, which is loaded with the first
 * request that is something else.
 */
import type { Dispatcher } from 'undici';
import type { Settings } from '../../settings.ts';
import { NO_CONTROLLER } from './no-controller.ts';
import { PlainAgent } from './plain/agent.ts';
import type { DispatchOptions } from './plain/request.ts';
import { type Environment, readProxies } from './proxies.ts';

/** For so many milliseconds an idle connection is good for another request, as in Nix 2.34. */
export const KEEP_ALIVE = 90_000;
/** After so many without a byte TCP asks whether the peer is still there. */
export const PROBE_AFTER = 30_000;

export type HttpSettings = Pick<
  Settings,
  'connectTimeout' | 'http2' | 'httpConnections' | 'netrcFile' | 'sslCertFile' | 'userAgentSuffix'
>;

/** Sends requests over connections that it keeps. */
export interface HttpAgent {
  /** Hands over a request: as undici's dispatchers have it. */
  dispatch(options: DispatchOptions, handler: Dispatcher.DispatchHandler): boolean;
  /** Ends the connections, and what they carry. */
  destroy(): Promise<void>;
}

/** @param environment - where the variables of proxies are looked for. */
export function openAgent(settings: HttpSettings, environment: Environment = process.env): HttpAgent {
  const proxies = readProxies(environment);
  const full = new LazyAgent(async () => {
    const { openUndiciAgent } = await import('./undici-agent.ts');
    return openUndiciAgent(settings, proxies);
  });
  if (proxies !== undefined) return full;
  const { connectTimeout, httpConnections } = settings;
  const limit = httpConnections || Number.POSITIVE_INFINITY;
  return new PlainAgent(
    { limit, connectTimeout: connectTimeout * 1000, keepAlive: KEEP_ALIVE, probeAfter: PROBE_AFTER },
    full,
  );
}

/** An agent that is loaded with the first request. */
class LazyAgent implements HttpAgent {
  readonly #open: () => Promise<HttpAgent>;
  #opening: Promise<HttpAgent> | undefined;
  #agent: HttpAgent | undefined;

  constructor(open: () => Promise<HttpAgent>) {
    this.#open = open;
  }

  dispatch(options: DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#agent !== undefined) return this.#agent.dispatch(options, handler);
    this.#opening ??= this.#open();
    this.#opening.then(
      (agent) => {
        this.#agent = agent;
        agent.dispatch(options, handler);
      },
      (error: Error) => handler.onResponseError?.(NO_CONTROLLER, error),
    );
    return true;
  }

  async destroy(): Promise<void> {
    await (await this.#opening)?.destroy();
  }
}
