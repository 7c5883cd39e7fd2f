/** The connections to the host of a binary cache: how many, how they are made, and for how long they may take. */
import type { Dispatcher } from 'undici';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { Settings } from '../settings.ts';
import { onread } from './socket-reads.ts';

/** What may be under way on one HTTP/2 connection: 64 KiB, the default, would take one round trip for every 64 KiB. */
const CONNECTION_WINDOW = 16 * 1024 * 1024;
const STREAM_WINDOW = 2 * 1024 * 1024;

export type HttpSettings = Pick<Settings, 'connectTimeout' | 'httpConnections' | 'stalledDownloadTimeout'>;

/** Sends requests over connections that it keeps; {@link Dispatcher.destroy} ends them. */
export type HttpAgent = Dispatcher;

/** All of undici would take 60 to 180 ms in every thread. */
export function openAgent({ connectTimeout, httpConnections, stalledDownloadTimeout }: HttpSettings): HttpAgent {
  const stalled = Math.ceil(stalledDownloadTimeout * 1000);
  return new Agent({
    connections: httpConnections === 0 ? null : httpConnections,
    connect: { timeout: connectTimeout * 1000, onread },
    headersTimeout: stalled,
    bodyTimeout: stalled,
    h2Options: { connectionWindowSize: CONNECTION_WINDOW, settings: { initialWindowSize: STREAM_WINDOW } },
  });
}
