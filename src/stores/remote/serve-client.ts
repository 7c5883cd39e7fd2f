/** The client's side of the serve protocol, on one connection. Errors come beside it, and end it. */

import {
  readServeHello,
  SERVE_COMMANDS,
  type ServeCommand,
  writeServeHello,
} from '../../formats/serve-protocol/version.ts';
import type { Reading } from '../../formats/wire/read.ts';
import { WireWriter } from '../../formats/wire/write.ts';
import type { NarSource } from '../store.ts';
import type { Connection } from './connection.ts';
import type { Peer } from './connection-pool.ts';

export class ServeClient implements Peer {
  readonly connection: Connection;
  /** Of the version that both sides speak. */
  readonly minor: number;

  private constructor(connection: Connection, minor: number) {
    this.connection = connection;
    this.minor = minor;
  }

  /** Says hello. @throws {FormatError} on what speaks another protocol. */
  static async open(connection: Connection): Promise<ServeClient> {
    connection.begin();
    await connection.write(writeServeHello());
    const minor = await connection.read(readServeHello());
    connection.settle();
    return new ServeClient(connection, minor);
  }

  /**
   * Asks for one thing.
   *
   * @param write - writes what the command wants to know.
   * @param contents - pours what goes after that.
   */
  async request<T>(
    command: ServeCommand,
    write: (to: WireWriter) => void,
    answer: () => Reading<T>,
    contents?: NarSource,
  ): Promise<T> {
    await this.start(command, write);
    await contents?.((chunk) => this.connection.write(Buffer.from(chunk))); // a copy, as the chunk will change
    const value = await this.connection.read(answer());
    this.connection.settle();
    return value;
  }

  /** The first half of {@link ServeClient.request}: the caller reads the answer, and settles the connection. */
  async start(command: ServeCommand, write: (to: WireWriter) => void): Promise<void> {
    const to = new WireWriter().integer(SERVE_COMMANDS[command]);
    write(to);
    this.connection.begin();
    await this.connection.write(to.finish());
  }
}
