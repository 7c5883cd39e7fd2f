/** The client's side of the worker protocol, on one connection. */
import { type ErrorContext, RemoteError, type SluiceError, UntrustedError } from '../../errors.ts';
import { plainText } from '../../formats/quote.ts';
import { FrameWriter } from '../../formats/wire/frames.ts';
import { type Reading, wireError } from '../../formats/wire/read.ts';
import { WireWriter } from '../../formats/wire/write.ts';
import {
  type DaemonInfo,
  readDaemonInfo,
  readFeatures,
  readHello,
  writeFeatures,
  writeHello,
} from '../../formats/worker-protocol/handshake.ts';
import { type DaemonError, type DaemonMessage, readDaemonMessage } from '../../formats/worker-protocol/messages.ts';
import { WORKER_OPERATIONS, type WorkerOperation, type WorkerVersion } from '../../formats/worker-protocol/version.ts';
import type { NarSource, Sink } from '../store.ts';
import type { Connection } from './connection.ts';
import type { Peer } from './connection-pool.ts';

export interface RequestOptions {
  /** Hears what the daemon tells meanwhile; not the end, and no error. */
  readonly onMessage?: ((message: DaemonMessage) => void) | undefined;
  /** Pours what goes after the request, in frames. */
  readonly contents?: NarSource | undefined;
}

/** Words with which daemons refuse what only trusted users may do. */
const REFUSALS =
  /not privileged|not in 'trusted-users'|lacks? (?:a (?:valid )?signature|signature by)|not allowed|restricted/;

export class WorkerClient implements Peer {
  readonly connection: Connection;
  readonly version: WorkerVersion;
  readonly daemon: DaemonInfo;
  readonly #uri: string;

  private constructor(connection: Connection, version: WorkerVersion, daemon: DaemonInfo, uri: string) {
    this.connection = connection;
    this.version = version;
    this.daemon = daemon;
    this.#uri = uri;
  }

  /**
   * Says hello.
   *
   * @throws {FormatError} on what speaks another protocol, {@link RemoteError} where the daemon does not want to.
   */
  static async open(connection: Connection, uri: string): Promise<WorkerClient> {
    connection.begin();
    await connection.write(writeHello());
    const minor = await connection.read(readHello());
    await connection.write(writeFeatures(minor));
    const version = await connection.read(readFeatures(minor));
    const daemon = await connection.read(readDaemonInfo(version));
    const client = new WorkerClient(connection, version, daemon, uri);
    await client.#hear();
    connection.settle();
    return client;
  }

  /**
   * Asks for one thing.
   *
   * @param write - writes what the operation wants to know.
   * @param answer - reads what comes after the last message.
   * @throws {RemoteError} where the daemon says that it failed; the connection can be used again then.
   */
  async request<T>(
    operation: WorkerOperation,
    write: (to: WireWriter) => void,
    answer: () => Reading<T>,
    options: RequestOptions = {},
  ): Promise<T> {
    await this.start([[operation, write]]);
    if (options.contents === undefined) await this.#hear(options.onMessage);
    else await this.#send(options.contents, options.onMessage);
    return await this.finish(answer);
  }

  /** Asks for several things at once. Their answers come in order: {@link WorkerClient.hear} each, then `finish` or `read`. */
  async start(requests: readonly (readonly [WorkerOperation, (to: WireWriter) => void])[]): Promise<void> {
    const to = new WireWriter();
    for (const [operation, write] of requests) {
      to.integer(WORKER_OPERATIONS[operation]);
      write(to);
    }
    this.connection.begin();
    await this.connection.write(to.finish());
  }

  /**
   * Reads what the daemon tells before its answer.
   *
   * @param isLast - whether no other answer follows, so that after an error the connection can be used again.
   */
  async hear(isLast: boolean): Promise<void> {
    await this.#hear(undefined, isLast);
  }

  /** Reads the last answer. */
  async finish<T>(answer: () => Reading<T>): Promise<T> {
    const value = await this.connection.read(answer());
    this.connection.settle();
    return value;
  }

  /** What a daemon said no with. */
  #asError({ message, traces }: DaemonError): SluiceError {
    const text = `'${this.#uri}': ${[...traces.toReversed(), message].map(plainText).join(': ')}`;
    if (!REFUSALS.test(message)) return new RemoteError(text);
    const context: ErrorContext = {
      hint: "the user who is logged in there has to be one of 'trusted-users' in its nix.conf, or paths signed by a key of its 'trusted-public-keys'",
    };
    return new UntrustedError(text, context);
  }

  async #hear(onMessage?: RequestOptions['onMessage'], isLast = true): Promise<void> {
    for (;;) {
      const message = await this.connection.read(readDaemonMessage(this.version.minor));
      if (message.kind === 'last') return;
      if (message.kind === 'read') throw wireError('the daemon asks for data that it does not get');
      if (message.kind === 'error') {
        if (isLast) this.connection.settle();
        throw this.#asError(message.error);
      }
      onMessage?.(message);
    }
  }

  /** The daemon may say in the middle that it wants no more. */
  async #send(contents: NarSource, onMessage: RequestOptions['onMessage']): Promise<void> {
    let refused: { readonly error: unknown } | undefined;
    const heard = this.#hear(onMessage).catch((error) => {
      refused = { error };
    });
    const frames = new FrameWriter((frame) => this.connection.write(frame));
    const sink: Sink = (chunk) => {
      if (refused !== undefined) throw refused.error;
      return frames.push(chunk);
    };
    try {
      await contents(sink);
    } catch (error) {
      if (refused === undefined || refused.error !== error) {
        this.connection.begin(); // it is broken: a frame may be half gone
        this.connection.fail(error);
        await heard;
        throw error;
      }
    }
    // Who has refused may be gone.
    await frames.finish().catch((error) => {
      if (refused === undefined) throw error;
    });
    await heard;
    if (refused !== undefined) throw (refused as { readonly error: unknown }).error;
  }
}
