/**
 * A proxy as servers have them: forwards http requests, and tunnels where it is asked to CONNECT. To it every host is this
 * machine.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestCertificate } from './test-certificate.ts';

export interface ProxyOptions {
  /** `USER:PASSWORD` that it wants. */
  readonly credentials?: string | undefined;
  /** Answers everything with this. */
  readonly status?: number | undefined;
  /** Ends connections without an answer. */
  readonly hangUp?: boolean | undefined;
  /** Where it speaks TLS itself. */
  readonly tls?: TestCertificate | undefined;
}

export class ForwardProxy implements AsyncDisposable {
  /** What it was asked for: `GET http://…`, `CONNECT host:port`. */
  readonly requests: string[] = [];
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #sockets: Set<Duplex> = new Set();

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = options.tls === undefined ? createServer() : createHttpsServer(options.tls);
    this.#server.on('request', (incoming, response) => this.#forward(incoming, response));
    this.#server.on('connect', (incoming, socket, head) => this.#tunnel(incoming, socket, head));
    this.#server.on('tlsClientError', () => {});
  }

  static async open(options: ProxyOptions = {}): Promise<ForwardProxy> {
    const proxy = new ForwardProxy(options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** @returns the status to refuse with. */
  #refusal({ method, url, headers }: IncomingMessage): number | undefined {
    this.requests.push(`${method} ${url}`);
    const { credentials, status } = this.#options;
    if (status !== undefined) return status;
    const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    return wanted === undefined || headers['proxy-authorization'] === wanted ? undefined : 407;
  }

  #forward(incoming: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusal(incoming);
    if (this.#options.hangUp) {
      incoming.destroy();
    } else if (refusal !== undefined) {
      response.writeHead(refusal).end();
    } else {
      const { method = 'GET', headers } = incoming;
      const { port, pathname, search } = new URL(incoming.url!);
      const target = { host: '127.0.0.1', port, path: pathname + search };
      const outgoing = request({ ...target, method, headers, agent: false }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
      outgoing.on('error', () => response.writeHead(502).end());
      outgoing.end();
    }
  }

  #tunnel(incoming: IncomingMessage, client: Duplex, head: Buffer): void {
    const refusal = this.#refusal(incoming);
    this.#keep(client);
    if (this.#options.hangUp) {
      client.destroy();
    } else if (refusal !== undefined) {
      client.end(`HTTP/1.1 ${refusal} No\r\nContent-Length: 0\r\n\r\n`);
    } else {
      const [port] = /\d+$/.exec(incoming.url!)!;
      const server: Socket = connect(Number(port), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        server.write(head);
        server.pipe(client).pipe(server);
      });
      this.#keep(server);
    }
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
