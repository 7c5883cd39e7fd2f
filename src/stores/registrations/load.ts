/**
 * Registering what a text says is valid, all of it or nothing: the contents are taken to be there.
 *
 * The text goes to temporary tables first, which lock nothing and may be larger than memory: it can come as slowly as it
 * likes, and with references after what refers to them. Then one transaction takes over all, a chunk at a time; it may
 * wait for the event loop but for nothing else.
 *
 * Source: Nix 2.35 nix-store/nix-store.cc, registerValidity; libstore/local-store.cc, LocalStore::registerValidPaths.
 */
import { lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type Sqlite from 'better-sqlite3';
import { InvalidPathError, StoreError } from '../../errors.ts';
import { parseStorePath, pathName, printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { type Registration, RegistrationParser } from '../../formats/validity-registration.ts';
import { readDerivationOutputs } from '../derivation-file.ts';
import { DerivationReader } from '../derivations.ts';
import type { Libc } from '../libc.ts';
import { whenFree } from '../sqlite.ts';
import { findCycle } from './find-cycle.ts';
import { type LoadedOutput, LoadTables } from './load-tables.ts';

export interface LoadContext {
  /** Nobody else uses it; what it has not committed goes when it is closed. */
  readonly connection: Sqlite.Database;
  readonly uri: string;
  readonly storeDir: StoreDir;
  readonly realStoreDir: string;
  readonly libc: Libc;
  /** Whether contents are made durable before they are valid. */
  readonly fsyncStorePaths: boolean;
  /** Keeps paths, in full, from being collected. */
  readonly protect: (paths: readonly string[]) => Promise<void>;
}

export interface LoadResult {
  /** Paths that have become valid. */
  readonly added: number;
  /** Valid ones of which hash or size were others. */
  readonly changed: number;
  /** Paths of the text of which nothing is in the store directory. */
  readonly absent: number;
}

/**
 * Registers what `text` says. Of a path that is valid already hash, size and references are taken over; where the hash is
 * another one, signatures and content address go, as they speak of the old one.
 *
 * @throws {FormatError} on a text that is none.
 * @throws {InvalidPathError} on a reference that is neither valid nor in the text.
 * @throws {StoreError} on a derivation that cannot be read, and on paths that refer to each other in a circle.
 */
export async function loadRegistrations(
  text: AsyncIterable<Uint8Array>,
  context: LoadContext,
  signal?: AbortSignal,
): Promise<LoadResult> {
  const tables = new LoadTables(context.connection, context.storeDir);
  await readText(text, tables, context, signal);
  const absent = await lookAtPaths(tables, context, signal);
  const { nodes, edges } = tables.graph;
  const row = findCycle(nodes, edges);
  if (row !== undefined) {
    const [path] = tables.pathsIn([row, row]);
    throw new StoreError(`the text has paths that refer to each other in a circle; '${path}' is one of them`);
  }
  if (context.fsyncStorePaths) await makeDurable(context);
  return { ...(await takeOver(tables, context, signal)), absent };
}

async function readText(
  text: AsyncIterable<Uint8Array>,
  tables: LoadTables,
  { storeDir }: LoadContext,
  signal: AbortSignal | undefined,
): Promise<void> {
  let batch: Registration[] = [];
  const parser = new RegistrationParser(storeDir, (registration) => batch.push(registration));
  for await (const bytes of text) {
    signal?.throwIfAborted();
    parser.push(bytes);
    await whenFree(() => tables.add(batch), signal);
    batch = [];
  }
  parser.finish();
}

/** Protects the paths and reads the derivations among them. */
async function lookAtPaths(tables: LoadTables, context: LoadContext, signal: AbortSignal | undefined): Promise<number> {
  let absent = 0;
  const { storeDir, realStoreDir } = context;
  // One of its own: what lies there may turn out not to become valid.
  const reader = new DerivationReader({ storeDir, realPath: (path) => join(realStoreDir, path) });
  for (const range of tables.ranges('paths')) {
    await turn(signal);
    const full = tables.pathsIn(range);
    await context.protect(full);
    const paths = full.map((path) => parseStorePath(context.storeDir, path));
    absent += paths.filter((path) => !isThere(join(context.realStoreDir, path))).length;
    const derivations = paths.filter((path) => pathName(path).endsWith('.drv'));
    tables.addOutputs(derivations.flatMap((path) => outputsOf(path, context)));
    await reader.checkAll(derivations, { signal });
  }
  return absent;
}

async function takeOver(
  tables: LoadTables,
  { connection, uri }: LoadContext,
  signal: AbortSignal | undefined,
): Promise<Omit<LoadResult, 'absent'>> {
  const now = Math.floor(Date.now() / 1000);
  const result = { added: 0, changed: 0 };
  await whenFree(() => connection.exec('begin immediate'), signal);
  for (const range of tables.ranges('paths')) {
    await turn(signal);
    const { added, changed } = await whenFree(() => tables.takeOverPaths(range, now));
    result.added += added;
    result.changed += changed;
  }
  for (const range of tables.ranges('references')) {
    await turn(signal);
    const dangling = await whenFree(() => tables.takeOverReferences(range));
    if (dangling === undefined) continue;
    throw new InvalidPathError(dangling.reference, uri, { hint: `'${dangling.referrer}' refers to it` });
  }
  for (const range of tables.ranges('outputs')) {
    await turn(signal);
    await whenFree(() => tables.takeOverOutputs(range));
  }
  await whenFree(() => connection.exec('commit'));
  return result;
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  signal?.throwIfAborted();
}

function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** @throws {StoreError} where it cannot be read: without its outputs a derivation must not be valid. */
function outputsOf(path: StorePath, { storeDir, realStoreDir }: LoadContext): LoadedOutput[] {
  const derivation = printStorePath(storeDir, path);
  try {
    return readDerivationOutputs(join(realStoreDir, path)).flatMap(({ name, path: output }) =>
      output === undefined ? [] : [{ derivation, name, path: output }],
    );
  } catch (cause) {
    throw new StoreError(`cannot read the derivation '${derivation}'`, { cause });
  }
}

async function makeDurable({ realStoreDir, libc }: LoadContext): Promise<void> {
  await using directory = await open(realStoreDir);
  await libc.syncFileSystem(directory.fd, realStoreDir);
}
