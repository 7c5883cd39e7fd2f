/** A real nginx on a free port of the loopback interface, serving one directory. Benchmarks start theirs with it, too. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Nginx extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a slash at its end. */
  readonly url: string;
}

/** What an nginx is to be. */
export interface NginxPlace {
  /** What is served. */
  readonly directory: string;
  /** For configuration and temporary files. */
  readonly scratch: string;
  /** Of 127.0.0.1. */
  readonly port: number;
}

/** Ports are taken by chance between looking and listening; so often is bad luck ruled out. */
const ATTEMPTS = 5;

/**
 * @param directory - what is served; configuration and temporary files go to `scratch`.
 * @param configure - its configuration: in the foreground, with notices to stderr, which tell when it has started.
 */
export async function startNginx(
  directory: string,
  scratch: string,
  configure: (place: NginxPlace) => string = configurationOf,
): Promise<Nginx> {
  await mkdir(scratch, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const server = await tryStart(scratch, configure({ directory, scratch, port }));
    if (server instanceof AsyncDisposableStack) {
      return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => server.disposeAsync() };
    }
    if (attempt === ATTEMPTS || !server.includes('Address already in use')) throw new Error(`nginx ended: ${server}`);
  }
}

/** @returns what ends it, or where it did not start what it said. */
async function tryStart(scratch: string, configuration: string): Promise<AsyncDisposableStack | string> {
  const file = join(scratch, 'nginx.conf');
  await writeFile(file, configuration);
  const child = spawn('nginx', ['-p', scratch, '-e', 'stderr', '-c', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let said = '';
  for await (const line of createInterface({ input: child.stderr })) {
    said += `${line}\n`;
    if (!line.includes('start worker process ')) continue;
    child.stderr.resume();
    const running = new AsyncDisposableStack();
    running.defer(async () => {
      child.kill('SIGTERM');
      await exited;
    });
    return running;
  }
  await exited;
  return said;
}

function configurationOf({ directory, scratch, port }: NginxPlace): string {
  return nginxConfiguration(
    scratch,
    `
      access_log off;
      sendfile on;
      server { listen 127.0.0.1:${port}; root ${directory}; }`,
  );
}

/** The configuration of an nginx that does `http`, which holds the lines of that section. */
export function nginxConfiguration(scratch: string, http: string): string {
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    worker_processes 1;
    pid ${join(scratch, 'nginx.pid')};
    error_log stderr notice;
    events { worker_connections 1024; }
    http {
      ${temporaryPaths(scratch)}
      ${http}
    }`;
}

/** Lines for section `http`: without them nginx wants directories of the system. */
export function temporaryPaths(scratch: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return kinds.map((kind) => `${kind}_temp_path ${join(scratch, kind)};`).join('\n      ');
}

async function freePort(): Promise<number> {
  await using server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('unreachable: no port');
  return address.port;
}
