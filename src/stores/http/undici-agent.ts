/** What sends requests of every kind, over HTTP/1.1 and HTTP/2, with TLS and through proxies: undici. */
import type { buildConnector as BuildConnector } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { type HttpAgent, type HttpSettings, KEEP_ALIVE, PROBE_AFTER } from './agent.ts';
import { ProxiedAgent } from './proxied-agent.ts';
import type { Proxies } from './proxies.ts';
import { onread } from './socket-reads.ts';
import { trustOf } from './tls-trust.ts';

/** What may be under way on one HTTP/2 connection: 64 KiB, the default, would take one round trip for every 64 KiB. */
const CONNECTION_WINDOW = 16 * 1024 * 1024;
const STREAM_WINDOW = 2 * 1024 * 1024;

/** All of undici would take 60 to 180 ms in every thread, so this loads its parts. */
export function openUndiciAgent(settings: HttpSettings, proxies: Proxies | undefined): HttpAgent {
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
