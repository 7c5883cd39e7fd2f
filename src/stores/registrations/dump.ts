/**
 * All that a store's database knows of valid paths, page by page: bounded memory, and one state of the database however
 * long it takes.
 *
 * Source: Nix 2.35 nix-store/nix-store.cc, opDumpDB.
 */
import { setImmediate } from 'node:timers/promises';
import type Sqlite from 'better-sqlite3';
import { parseStorePath, type StoreDir } from '../../formats/store-path.ts';
import type { Registration } from '../../formats/validity-registration.ts';
import { whenFree } from '../sqlite.ts';
import { readValidPath, type ValidPathRow } from '../valid-path-row.ts';

/** Paths of one page. */
const PAGE_SIZE = 1_000;

/**
 * Every valid path, sorted. What others register or delete meanwhile does not show.
 *
 * @param connection - nobody else uses it meanwhile.
 * @throws {StoreError} on a row that is broken.
 */
export async function* readRegistrations(
  connection: Sqlite.Database,
  storeDir: StoreDir,
  signal?: AbortSignal,
): AsyncGenerator<readonly Registration[]> {
  const { paths, references } = prepare(connection);
  await whenFree(() => connection.exec('begin'), signal);
  for (let last = ''; ; await setImmediate()) {
    signal?.throwIfAborted();
    const page = await whenFree(() => {
      const rows = paths.all(last, PAGE_SIZE);
      const all = rows.length === 0 ? [] : references.all(rows[0]!.path, rows.at(-1)!.path);
      return { rows, references: Map.groupBy(all, ([referrer]) => referrer) };
    }, signal);
    if (page.rows.length === 0) return;
    yield page.rows.map((row) => {
      const texts = (page.references.get(row.id) ?? []).map(([, reference]) => reference);
      return readValidPath(storeDir, parseStorePath(storeDir, row.path), row, texts);
    });
    last = page.rows.at(-1)!.path;
  }
}

function prepare(connection: Sqlite.Database) {
  return {
    paths: connection.prepare<[after: string, limit: number], ValidPathRow & { readonly path: string }>(
      `select id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca from ValidPaths
        where path > ? order by path limit ?`,
    ),
    references: connection
      .prepare<[first: string, last: string], readonly [referrer: number, reference: string]>(
        `select p.id, r.path from ValidPaths as p join Refs on referrer = p.id join ValidPaths as r on reference = r.id
          where p.path between ? and ?`,
      )
      .raw(),
  };
}
