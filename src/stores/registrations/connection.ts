/** A connection of one's own to a store's database, for a transaction that lasts many turns of the event loop. */
import type Sqlite from 'better-sqlite3';
import { databaseFile } from '../local-store-layout.ts';
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
  const file = databaseFile(stateDir);
  const connection = await whenFree(() => connect(file, { create: false, ...options }), undefined, file);
  return { connection, [Symbol.dispose]: () => void connection.close() };
}
