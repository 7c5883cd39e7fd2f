/**
 * Connections that go through proxies where the environment says so: https through a tunnel, http by asking the proxy.
 * What that takes is loaded with the first request that does. Its sockets are read in the usual way, not as
 * socket-reads.ts does it: the tunnel is made by one reader, and read by another.
 */
import type { Agent as AgentClass, buildConnector, Dispatcher } from 'undici';
import Agent from 'undici/lib/dispatcher/agent.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { NO_CONTROLLER } from './no-controller.ts';
import type { Proxies } from './proxies.ts';
import { ThroughProxy } from './through-proxy.ts';
import { trustOf } from './tls-trust.ts';

export class ProxiedAgent extends Agent {
  readonly #proxies: Proxies;
  readonly #options: AgentClass.Options;
  readonly #connecting: buildConnector.BuildOptions;
  readonly #sslCertFile: string;
  /** By the URL of the proxy. */
  readonly #agents = new Map<string, Promise<Dispatcher>>();

  /**
   * @param direct - for what needs no proxy.
   * @param options - for what does.
   * @param connecting - how the latter connects.
   */
  constructor(
    direct: AgentClass.Options,
    proxies: Proxies,
    options: AgentClass.Options,
    connecting: buildConnector.BuildOptions,
    sslCertFile: string,
  ) {
    super(direct);
    this.#proxies = proxies;
    this.#options = options;
    this.#connecting = connecting;
    this.#sslCertFile = sslCertFile;
  }

  override dispatch(request: AgentClass.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const fail = (error: Error): void => handler.onResponseError?.(NO_CONTROLLER, error);
    try {
      const proxy = this.destroyed ? undefined : this.#proxies.proxyFor(new URL(request.origin!));
      if (proxy === undefined) return super.dispatch(request, handler);
      const through = new ThroughProxy(handler, proxy);
      this.#through(proxy).then((agent) => agent.dispatch(request, through), fail);
    } catch (error) {
      fail(error as Error);
    }
    return true;
  }

  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(...parameters: readonly unknown[]): Promise<void> {
    const callback = parameters.find((each) => typeof each === 'function') as (() => void) | undefined;
    const error = parameters.find((each) => each instanceof Error) as Error | undefined;
    return this.#destroyAll(error ?? null).then(callback);
  }

  async #destroyAll(error: Error | null): Promise<void> {
    const agents = await Promise.allSettled(this.#agents.values());
    const opened = agents.flatMap((agent) => (agent.status === 'fulfilled' ? [agent.value] : []));
    // With a callback: without one undici calls this method again.
    const direct = new Promise<void>((resolve) => super.destroy(error, resolve));
    await Promise.all([direct, ...opened.map((agent) => agent.destroy(error))]);
  }

  #through(proxy: URL): Promise<Dispatcher> {
    const known = this.#agents.get(proxy.href);
    if (known !== undefined) return known;
    const agent = this.#open(proxy);
    this.#agents.set(proxy.href, agent);
    agent.catch(() => this.#agents.delete(proxy.href)); // the next one may find the certificates mended
    return agent;
  }

  async #open({ href }: URL): Promise<Dispatcher> {
    const [{ default: ProxyAgent }, { default: connect }, trust] = await Promise.all([
      import('undici/lib/dispatcher/proxy-agent.js'),
      import('undici/lib/api/api-connect.js'),
      trustOf(this.#sslCertFile),
    ]);
    const tls = { ...this.#connecting, ...trust } as buildConnector.BuildOptions;
    const options = this.#options;
    return new ProxyAgent({
      ...options,
      uri: href,
      requestTls: tls,
      proxyTls: { ...tls, allowH2: false },
      // All of undici would give every dispatcher this method, which makes tunnels.
      clientFactory: (origin, own) => Object.assign(new Pool(origin, own), { connect }),
      // Undici hands its own options to tunnels only.
      factory: (origin, own) => new Pool(origin, { ...options, ...own }),
    });
  }
}
