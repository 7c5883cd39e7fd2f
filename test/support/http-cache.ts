/** A directory behind HTTP, on a port of its own, that can be told to misbehave. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** What to do in place of sending a file as it is. */
export interface Misbehaviour {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent in place of the file, or of nothing. */
  readonly body?: Uint8Array;
  /** Close the connection after so many bytes of the body. */
  readonly truncate?: number;
  /** Announce no length: the body comes in chunks of so many bytes. */
  readonly chunkSize?: number;
  /** Answer when this is fulfilled; never, where it never is. */
  readonly after?: Promise<unknown>;
}

/** @param name - of the file, with its query. */
export type Misbehave = (name: string, request: IncomingMessage) => Misbehaviour | undefined;

export class HttpCache implements AsyncDisposable {
  /** Without slash at the end. */
  readonly url: string;
  /** What was asked for, in order. */
  readonly requests: string[];
  readonly #server: Server;
  #connections = 0;

  constructor(server: Server, requests: string[]) {
    this.#server = server;
    this.requests = requests;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', () => {
      this.#connections++;
    });
  }

  /** How many connections were made to it. */
  get connections(): number {
    return this.#connections;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export async function serveCache(dir: string, misbehave: Misbehave = () => undefined): Promise<HttpCache> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const name = request.url!.slice(1);
    requests.push(name);
    answer(response, dir, name, misbehave(name, request) ?? {}).catch((error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new HttpCache(server, requests);
}

async function answer(response: ServerResponse, dir: string, name: string, misbehaviour: Misbehaviour): Promise<void> {
  await misbehaviour.after;
  const { status, headers = {}, truncate, chunkSize } = misbehaviour;
  const file =
    misbehaviour.body ?? (status === undefined ? await readFile(join(dir, name)).catch(() => undefined) : undefined);
  const body = file ?? new Uint8Array();
  response.writeHead(status ?? (file === undefined ? 404 : 200), {
    ...(chunkSize === undefined && { 'content-length': body.length }),
    ...headers,
  });
  const end = truncate ?? body.length;
  for (let start = 0; start < end; start += chunkSize ?? body.length) {
    const chunk = body.subarray(start, Math.min(end, start + (chunkSize ?? body.length)));
    await new Promise((resolve) => response.write(chunk, resolve)); // also called when the client has gone
  }
  if (truncate === undefined) response.end();
  else response.destroy();
}
