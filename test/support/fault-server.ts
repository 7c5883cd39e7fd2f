/**
 * A directory behind HTTP that can go wrong in every way that {@link Fault} lists, for each URL and each attempt. Serves
 * ranges with ETags and takes PUT; speaks TLS where it is given a certificate. Keeps what it was asked, and counts.
 */
import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { answer } from './fault-answer.ts';
import type { ConnectionFault, FaultPlan, FaultRequest } from './faults.ts';
import { resetSocket } from './reset-socket.ts';
import type { TestCertificate } from './test-certificate.ts';

export interface FaultServerOptions {
  /** Without it, the server speaks plain HTTP. */
  readonly tls?: TestCertificate | undefined;
  /** What to do with a connection; the first is number 1. */
  readonly connection?: ((number: number) => ConnectionFault | undefined) | undefined;
  /** In place of the clock, for faults that take time. */
  readonly wait?: ((milliseconds: number, signal: AbortSignal) => Promise<unknown>) | undefined;
}

/** Starts a server on a free port of the loopback interface. */
export async function serveFaults(
  dir: string,
  plan: FaultPlan = () => undefined,
  options: FaultServerOptions = {},
): Promise<FaultServer> {
  const server = new FaultServer(dir, plan, options);
  await server.listen();
  return server;
}

export class FaultServer implements AsyncDisposable {
  /** What was asked, in order. */
  readonly requests: FaultRequest[] = [];
  /** How many connections were made. */
  connections = 0;
  /** How many requests were being answered at once, at most. */
  maxConcurrent = 0;
  readonly #dir: string;
  readonly #plan: FaultPlan;
  readonly #options: FaultServerOptions;
  readonly #listener: Server;
  readonly #http: HttpServer;
  /** By the port of the client: the TCP connections that are open. */
  readonly #open: Map<number, Socket> = new Map();
  readonly #attempts: Map<string, number> = new Map();
  readonly #sent: Map<string, number> = new Map();
  readonly #closed: AbortController = new AbortController();
  #concurrent = 0;
  #port = 0;

  constructor(dir: string, plan: FaultPlan, options: FaultServerOptions) {
    this.#dir = dir;
    this.#plan = plan;
    this.#options = options;
    const onRequest = (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response);
    const limits = { keepAliveTimeout: 0, maxHeaderSize: 64 * 1024 };
    const { tls } = options;
    this.#http =
      tls === undefined
        ? createHttpServer(limits, onRequest)
        : createHttpsServer({ ...limits, ...tls, ALPNProtocols: ['http/1.1'] }, onRequest);
    this.#http.on('tlsClientError', () => {}); // a client that does not trust the certificate, or has gone
    this.#listener = createServer({ noDelay: true }, (socket) => this.#connect(socket));
  }

  /** Without slash at the end. */
  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#open.size;
  }

  /** Bytes of bodies that were handed to connections: of one file, or of all. */
  sent(name?: string): number {
    return name === undefined ? this.#sent.values().reduce((sum, size) => sum + size, 0) : (this.#sent.get(name) ?? 0);
  }

  /** Refuses connections from now on, and ends those that are open. */
  async refuse(): Promise<void> {
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    for (const socket of this.#open.values()) socket.destroy();
    await closed;
  }

  /** Takes connections, on the same port as before. */
  async listen(): Promise<void> {
    this.#listener.listen(this.#port, '127.0.0.1');
    await once(this.#listener, 'listening');
    this.#port = (this.#listener.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    if (this.#listener.listening) await this.refuse();
  }

  #connect(socket: Socket): void {
    const port = socket.remotePort!;
    this.connections++;
    this.#open.set(port, socket);
    socket.on('close', () => this.#open.delete(port));
    socket.on('error', () => {}); // clients go when they like
    const fault = this.#options.connection?.(this.connections);
    if (fault === undefined) this.#http.emit('connection', socket);
    else if (fault === 'reset') resetSocket(socket);
    else if (fault === 'close') socket.end();
    else socket.resume();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', headers } = request;
    const name = request.url!.slice(1);
    const attempt = (this.#attempts.get(name) ?? 0) + 1;
    this.#attempts.set(name, attempt);
    const kept = { name, attempt, method, headers };
    this.requests.push(kept);
    this.maxConcurrent = Math.max(this.maxConcurrent, ++this.#concurrent);
    response.on('close', () => this.#concurrent--);
    const connection = this.#open.get(request.socket.remotePort!);
    if (connection === undefined) return; // it has gone already
    const { wait = (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }) } = this.#options;
    const onSent = (size: number) => void this.#sent.set(name, (this.#sent.get(name) ?? 0) + size);
    const dir = this.#dir;
    const waiting = (milliseconds: number) => wait(milliseconds, this.#closed.signal);
    try {
      await answer({ dir, name, request, response, connection, wait: waiting, onSent }, this.#plan(kept));
    } catch (error) {
      if (!this.#closed.signal.aborted && !request.destroyed) response.destroy(error as Error);
    }
  }
}
