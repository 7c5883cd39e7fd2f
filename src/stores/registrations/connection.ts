/** A connection of one's own to a store's database, for a transaction that lasts many turns of the event loop. */
import { join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { loadSqlite, whenFree } from '../sqlite.ts';

export interface ConnectionOptions {
  readonly stateDir: string;
  readonly readOnly: boolean;
  readonly fsyncMetadata: boolean;
}

export interface OwnConnection extends Disposable {
  readonly connection: Sqlite.Database;
}

/** Opens the database of a store that is open. Disposing undoes a transaction that has not been committed. */
export async function openOwnConnection({ stateDir, ...options }: ConnectionOptions): Promise<OwnConnection> {
  const connect = loadSqlite();
  const connection = await whenFree(() => connect(join(stateDir, 'db/db.sqlite'), { create: false, ...options }));
  return { connection, [Symbol.dispose]: () => void connection.close() };
}
