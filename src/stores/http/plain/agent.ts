/** Sends requests of the plainest kind over connections of its own, and leaves all others to an agent that knows more. */
import type { Dispatcher } from 'undici';
import type { HttpAgent } from '../agent.ts';
import { NO_CONTROLLER } from '../no-controller.ts';
import { type OriginOptions, PlainOrigin } from './origin.ts';
import { type DispatchOptions, PlainRequest } from './request.ts';

export type PlainAgentOptions = Omit<OriginOptions, 'host' | 'port'>;

export class PlainAgent implements HttpAgent {
  readonly #options: PlainAgentOptions;
  readonly #full: HttpAgent;
  /** By their names; undefined for one whose answers only the other agent understands. */
  readonly #origins = new Map<string, PlainOrigin | undefined>();
  #isDestroyed = false;

  /** @param full - is this one's from here on. */
  constructor(options: PlainAgentOptions, full: HttpAgent) {
    this.#options = options;
    this.#full = full;
  }

  dispatch(options: DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#isDestroyed) {
      handler.onResponseError?.(NO_CONTROLLER, destroyed());
      return true;
    }
    const request = PlainRequest.of(options, handler);
    const origin = request === undefined ? undefined : this.#originOf(String(options.origin));
    if (origin === undefined) return this.#full.dispatch(options, handler);
    origin.dispatch(request!);
    return true;
  }

  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    for (const origin of this.#origins.values()) origin?.destroy(destroyed());
    await this.#full.destroy();
  }

  #originOf(name: string): PlainOrigin | undefined {
    const known = this.#origins.get(name);
    if (known !== undefined || this.#origins.has(name)) return known;
    const { hostname, port } = new URL(name);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const origin = new PlainOrigin({ ...this.#options, host, port: Number(port || 80) }, (requests) => {
      this.#origins.set(name, undefined);
      for (const { options, handler } of requests) this.#full.dispatch(options, handler);
    });
    this.#origins.set(name, origin);
    return origin;
  }
}

function destroyed(): Error {
  return Object.assign(new Error('the connections have been closed'), { code: 'UND_ERR_DESTROYED' });
}
