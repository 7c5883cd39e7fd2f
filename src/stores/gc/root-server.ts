/**
 * The socket of a running collector: other processes send it the roots that they add meanwhile, a line each, and get a
 * `1` for each once it is safe from being deleted, or deleted already.
 *
 * Source: Nix 2.35 libstore/gc.cc, LocalStore::collectGarbage; the same since Nix 2.5.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { hashPart, type StoreDir } from '../../formats/store-path.ts';
import { storePathIn } from './find-roots.ts';

/** A store path is much shorter; who sends a longer line is no client. */
const MAX_LINE = 64 * 1024;
/** What a file name for a socket may have at most, in bytes (sun_path, macOS has the least). */
const MAX_SOCKET_PATH = 103;

export interface RootServerOptions {
  readonly stateDir: string;
  readonly storeDir: StoreDir;
  /** Called with the hash part of every root that comes. Where its path is being deleted: fulfilled when it is gone. */
  readonly onRoot: (digits: string) => Promise<void> | undefined;
}

/** Listens until it is disposed. The caller holds gc.lock. */
export async function openRootServer({ stateDir, storeDir, onRoot }: RootServerOptions): Promise<AsyncDisposable> {
  const dir = join(stateDir, 'gc-socket');
  mkdirSync(dir, { recursive: true });
  await using opened = new AsyncDisposableStack();
  // Listens under another name at first: who finds the socket finds one that answers, and that all users may talk to.
  const temporary = `${process.pid}-${randomBytes(6).toString('hex')}`;
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    serve(client, storeDir, onRoot);
  });
  const path = await shortName(join(dir, temporary), dir, opened);
  server.listen({ path, readableAll: true, writableAll: true });
  await once(server, 'listening');
  opened.defer(async () => {
    for (const client of clients) client.destroy();
    rmSync(join(dir, 'socket'), { force: true });
    await new Promise((resolve) => server.close(resolve));
  });
  renameSync(join(dir, temporary), join(dir, 'socket'));
  return opened.move();
}

/** Names of sockets are short. Linux has another for every open directory, which serves as long as that is open. */
async function shortName(path: string, dir: string, resources: AsyncDisposableStack): Promise<string> {
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH || process.platform !== 'linux') return path;
  const directory = resources.use(await open(dir));
  return `/proc/self/fd/${directory.fd}${path.slice(dir.length)}`;
}

function serve(client: Socket, storeDir: StoreDir, onRoot: RootServerOptions['onRoot']): void {
  client.setEncoding('latin1');
  let rest = '';
  let answered = Promise.resolve();
  client.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    // What is no store path is answered too: the client waits for it.
    for (const line of lines) {
      const path = storePathIn(storeDir, line);
      const safe = path === undefined ? undefined : onRoot(hashPart(path));
      if (safe !== undefined) answered = answered.then(() => safe);
    }
    if (lines.length > 0) answered = answered.then(() => void client.write('1'.repeat(lines.length)));
    if (rest.length > MAX_LINE) client.destroy();
  });
  client.on('error', () => client.destroy()); // its process has ended
}
