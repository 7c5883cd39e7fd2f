/** Serves the files of one directory over HTTP on the loopback interface, as a binary cache is served. */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface StaticServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
}

/** What a cache has: `nix-cache-info`, `HASH.narinfo`, `nar/HASH.nar.zst`. Nothing that leads out of the directory. */
const FILE = /^\/(?:nar\/)?[\w-][\w.-]*$/;

/** Every request is answered from `directory`; the port is any that is free. */
export async function startStaticServer(directory: string): Promise<StaticServer> {
  const server = createServer((request, response) => {
    // Whoever asked has gone, or sees that the body is cut off.
    serveFile(directory, request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('unreachable: a TCP server has a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function serveFile(directory: string, { method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(url ?? '', 'http://localhost');
  if (method !== 'GET' && method !== 'HEAD') return answer(response, 405);
  if (!FILE.test(pathname)) return answer(response, 404);
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(join(directory, pathname));
  } catch {
    return answer(response, 404);
  }
  await using opened = file;
  const stats = await opened.stat();
  if (!stats.isFile()) return answer(response, 404);
  response.setHeader('Content-Length', stats.size);
  if (method === 'HEAD') response.end();
  else await pipeline(opened.createReadStream({ autoClose: false }), response);
}

function answer(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}
