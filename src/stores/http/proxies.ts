/**
 * The proxies that the environment names, as curl reads it.
 *
 * Source: curl's manual, "ENVIRONMENT" and --noproxy; libcurl's lib/noproxy.c. Other than curl, and like Go's net/http,
 * this never asks a proxy for an address of this machine: to the proxy it would be its own.
 */
import { BlockList, isIP } from 'node:net';
import { UsageError } from '../../errors.ts';

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The ports that curl takes where none is named. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '1080', https: '443', socks5: '1080', socks5h: '1080' };

/** As no_proxy would have it. */
const LOOPBACK = 'localhost,127.0.0.0/8,::1';

/** Some variable names a proxy. */
export interface Proxies {
  /**
   * The proxy for requests to `url`, if any.
   *
   * @throws {UsageError} where what the variable says is no proxy.
   */
  proxyFor(url: URL): URL | undefined;
}

/** `undefined` where no variable names a proxy. */
export function readProxies(environment: Environment): Proxies | undefined {
  const find = (...names: readonly string[]): string | undefined => names.find((name) => environment[name]);
  const all = find('all_proxy', 'ALL_PROXY');
  // Not HTTP_PROXY: a CGI program has that from whoever sends it a header 'Proxy'.
  const http = find('http_proxy') ?? all;
  const https = find('https_proxy', 'HTTPS_PROXY') ?? all;
  if (http === undefined && https === undefined) return undefined;
  const without = exceptions(`${LOOPBACK},${environment[find('no_proxy', 'NO_PROXY') ?? ''] ?? ''}`);
  const known = new Map<string, URL>();
  return {
    proxyFor(url) {
      const name = url.protocol === 'https:' ? https : http;
      if (name === undefined || without(hostOf(url.hostname))) return undefined;
      const proxy = known.get(name) ?? parseProxy(name, environment[name]!);
      known.set(name, proxy);
      return proxy;
    },
  };
}

/** The value may hold a password, so no message has it. */
function parseProxy(name: string, value: string): URL {
  const hint = 'write http://HOST:PORT, with USER:PASSWORD@ before the host where the proxy wants that';
  const [, scheme = 'http', rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(value.trim()) ?? [];
  const kind = scheme.toLowerCase();
  if (!Object.hasOwn(DEFAULT_PORTS, kind)) {
    throw new UsageError(`variable '${name}' of the environment names a proxy of the unknown kind '${kind}'`, { hint });
  }
  const authority = rest.replace(/[/?#].*$/s, '');
  const port = /:\d+$/.test(authority) ? '' : `:${DEFAULT_PORTS[kind]}`;
  // Of the socks kinds undici knows one, which leaves looking up names to the proxy.
  const url = `${kind.replace(/h$/, '')}://${authority}${port}`;
  if (authority === '' || !URL.canParse(url)) {
    throw new UsageError(`variable '${name}' of the environment names no proxy`, { hint });
  }
  return new URL(url);
}

/** Whether a host is among those that are reached without a proxy: names with all below them, addresses, networks. */
function exceptions(list: string): (host: string) => boolean {
  const names: string[] = [];
  const networks = new BlockList();
  for (const word of list.split(/[\s,]+/)) {
    const [address = '', bits] = hostOf(word).split('/', 2);
    const family = isIP(address);
    if (family === 0) names.push(hostOf(word.replace(/^\*?\./, '')));
    else if (bits === undefined) networks.addAddress(address, family === 6 ? 'ipv6' : 'ipv4');
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
      networks.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  }
  return (host) => {
    const family = isIP(host);
    if (names.includes('*')) return true;
    if (family !== 0) return networks.check(host, family === 6 ? 'ipv6' : 'ipv4');
    return names.some((name) => name !== '' && (host === name || host.endsWith(`.${name}`)));
  };
}

/** As hosts are compared. */
function hostOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/^\[(.*)\]/, '$1')
    .replace(/(.)\.$/, '$1');
}
