/** The connections to the host of a binary cache: how many, how they are made, and for how long they are kept. */
import type { buildConnector as BuildConnector, Dispatcher } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { Settings } from '../../settings.ts';
import { ProxiedAgent } from './proxied-agent.ts';
import { type Environment, readProxies } from './proxies.ts';
import { onread } from './socket-reads.ts';
import { trustOf } from './tls-trust.ts';

/** What may be under way on one HTTP/2 connection: 64 KiB, the default, would take one round trip for every 64 KiB. */
const CONNECTION_WINDOW = 16 * 1024 * 1024;
const STREAM_WINDOW = 2 * 1024 * 1024;
/** For so many milliseconds an idle connection is good for another request, as in Nix 2.34. */
const KEEP_ALIVE = 90_000;
/** After so many without a byte TCP asks whether the peer is still there. */
const PROBE_AFTER = 30_000;

export type HttpSettings = Pick<
  Settings,
  'connectTimeout' | 'http2' | 'httpConnections' | 'netrcFile' | 'sslCertFile' | 'userAgentSuffix'
>;

/** Sends requests over connections that it keeps; {@link Dispatcher.destroy} ends them. */
export type HttpAgent = Dispatcher;

/**
 * All of undici would take 60 to 180 ms in every thread, so this loads its parts.
 *
 * @param environment - where the variables of proxies are looked for.
 */
export function openAgent(settings: HttpSettings, environment: Environment = process.env): HttpAgent {
  const { http2, httpConnections, sslCertFile } = settings;
  const options = {
    allowH2: http2,
    connections: httpConnections === 0 ? null : httpConnections,
    headersTimeout: 0, // those who wait have a watch: watch.ts
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE,
    keepAliveMaxTimeout: KEEP_ALIVE,
    h2Options: { connectionWindowSize: CONNECTION_WINDOW, initialWindowSize: STREAM_WINDOW },
  };
  const connecting = connectOptions(settings);
  const direct = { ...options, connect: connector(connecting, sslCertFile) };
  const proxies = readProxies(environment);
  return proxies === undefined
    ? new Agent(direct)
    : new ProxiedAgent(direct, proxies, options, connecting, sslCertFile);
}

function connectOptions({ connectTimeout, http2 }: HttpSettings): BuildConnector.BuildOptions {
  return {
    timeout: connectTimeout * 1000,
    allowH2: http2,
    preferH2: http2, // otherwise the server may take what undici names first
    keepAliveInitialDelay: PROBE_AFTER,
  };
}

/** What only https needs is read with the first connection that does. */
function connector(options: BuildConnector.BuildOptions, sslCertFile: string): BuildConnector.connector {
  const plain = buildConnector({ ...options, onread } as BuildConnector.BuildOptions);
  let secure: Promise<BuildConnector.connector> | undefined;
  const openSecure = async (): Promise<BuildConnector.connector> =>
    buildConnector({ ...options, onread, ...(await trustOf(sslCertFile)) } as BuildConnector.BuildOptions);
  return (target, callback) => {
    if (target.protocol !== 'https:') return plain(target, callback);
    secure ??= openSecure();
    secure.then(
      (connect) => connect(target, callback),
      (error) => {
        secure = undefined; // the next one may find the file mended
        callback(error, null);
      },
    );
  };
}
