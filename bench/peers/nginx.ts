/**
 * The server that both programs fetch from: nginx, which is faster than either. What it serves is there twice, at once
 * and, below `/delayed/`, only after some milliseconds: so a far server shows without a network.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type Nginx, type NginxPlace, startNginx, temporaryPaths } from '../../test/support/nginx.ts';
import { run } from '../../test/support/run.ts';
import { DELAY } from './rows.ts';
import { median } from './statistics.ts';

/** What waits inside nginx: echo-nginx-module, https://github.com/openresty/echo-nginx-module. */
const ECHO_MODULE = 'ngx_http_echo_module.so';
/** Where distributions have modules, besides what nginx says of itself. */
const MODULE_DIRECTORIES = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules', '/usr/lib64/nginx/modules'];
/** Requests to find out what a request takes. */
const SAMPLES = 15;
/** Timers count whole milliseconds, so an answer may come that much too soon. */
const TOLERANCE = 1;

/** The file of the module that delays answers; undefined where there is none. */
export async function findEchoModule(): Promise<string | undefined> {
  const { stderr } = await run('nginx', ['-V']).catch(() => ({ stderr: '' }));
  const own = /--modules-path=(\S+)/.exec(stderr)?.[1];
  for (const directory of [...(own === undefined ? [] : [own]), ...MODULE_DIRECTORIES]) {
    const file = join(directory, ECHO_MODULE);
    if (await isThere(file)) return file;
  }
  return undefined;
}

/**
 * The configuration of nginx.
 *
 * @param echoModule - without it nothing is below `/delayed/`.
 */
export function nginxConfiguration({ directory, scratch, port }: NginxPlace, echoModule: string | undefined): string {
  const delayed = `location ~ ^/delayed(/.*)$ { echo_sleep ${DELAY / 1000}; echo_exec $1; }`;
  return `
    ${echoModule === undefined ? '' : `load_module ${echoModule};`}
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    worker_processes auto;
    pid ${join(scratch, 'nginx.pid')};
    error_log stderr notice;
    events { worker_connections 4096; }
    http {
      access_log off;
      sendfile on;
      tcp_nopush on;
      keepalive_requests 1000000;
      default_type application/octet-stream;
      ${temporaryPaths(scratch)}
      server {
        listen 127.0.0.1:${port};
        root ${directory};
        ${echoModule === undefined ? '' : delayed}
      }
    }`;
}

/** Where a cache is. */
export function cacheUrl(nginx: Nginx, path: string, delay: number): string {
  return `${nginx.url}${delay > 0 ? '/delayed' : ''}/${path}`;
}

/** Starts it; {@link findEchoModule} finds `echoModule`. */
export function startServer(directory: string, scratch: string, echoModule: string | undefined): Promise<Nginx> {
  return startNginx(directory, scratch, (place) => nginxConfiguration(place, echoModule));
}

/**
 * Sees for itself that answers are delayed where they are to be, and otherwise are not.
 *
 * @param path - of a file below the directory that is served.
 * @returns what a delayed request takes, in milliseconds.
 */
export async function checkDelay(nginx: Nginx, path: string): Promise<number> {
  const [soon, late] = [await timesOf(cacheUrl(nginx, path, 0)), await timesOf(cacheUrl(nginx, path, DELAY))];
  if (Math.min(...late) < DELAY - TOLERANCE) {
    throw new Error(`an answer that nginx was to delay by ${DELAY} ms came after ${Math.min(...late).toFixed(1)} ms`);
  }
  if (Math.min(...soon) >= DELAY / 2) {
    throw new Error(`an answer that nginx was not to delay came after ${Math.min(...soon).toFixed(1)} ms`);
  }
  return median(late);
}

async function timesOf(url: string): Promise<number[]> {
  const times: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample++) {
    const begin = performance.now();
    const response = await fetch(url);
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`nginx answers ${response.status} for ${url}`);
    times.push(performance.now() - begin);
  }
  return times;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
