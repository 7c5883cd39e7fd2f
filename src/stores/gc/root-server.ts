/**
 * The socket of a running collector: other processes send it the roots that they add meanwhile, a line each, and get a
 * `1` for each once it is safe from being deleted, or deleted already.
 *
 * Source: Nix 2.35 libstore/gc.cc, LocalStore::collectGarbage; the same since Nix 2.5.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
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

/**
 * Makes the socket, where there is none, before gc.lock is taken: whoever finds the lock taken and nobody listening tries
 * again, but where there is no socket Nix 2.8 goes on as if it had told. For the same reason it stays when a collector
 * ends.
 */
export async function prepareRootSocket(stateDir: string): Promise<void> {
  const dir = join(stateDir, 'gc-socket');
  if (existsSync(join(dir, 'socket'))) return;
  mkdirSync(dir, { recursive: true });
  await using opened = new AsyncDisposableStack();
  const { server, name } = await listen(dir, opened, () => {});
  try {
    linkSync(join(dir, name), join(dir, 'socket'));
  } catch (error) {
    // Another collector was faster, and has tidied up.
    if (!['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  await close(server);
}

/** Listens until it is disposed. The caller holds gc.lock. */
export async function openRootServer({ stateDir, storeDir, onRoot }: RootServerOptions): Promise<AsyncDisposable> {
  const dir = join(stateDir, 'gc-socket');
  mkdirSync(dir, { recursive: true });
  removeLeftovers(dir);
  await using opened = new AsyncDisposableStack();
  const clients = new Set<Socket>();
  const { server, name } = await listen(dir, opened, (client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    serve(client, storeDir, onRoot);
  });
  opened.defer(async () => {
    for (const client of clients) client.destroy();
    await close(server);
  });
  renameSync(join(dir, name), join(dir, 'socket'));
  return opened.move();
}

/** What collectors left that were killed before their sockets got their name. */
function removeLeftovers(dir: string): void {
  for (const name of readdirSync(dir)) if (name !== 'socket') rmSync(join(dir, name), { force: true });
}

/** Listens under another name at first: who finds the socket finds one that answers, and that all users may talk to. */
async function listen(
  dir: string,
  resources: AsyncDisposableStack,
  onClient: (client: Socket) => void,
): Promise<{ readonly server: Server; readonly name: string }> {
  const name = `${process.pid}-${randomBytes(6).toString('hex')}`;
  const server = createServer(onClient);
  const path = await shortName(join(dir, name), dir, resources);
  server.listen({ path, readableAll: true, writableAll: true });
  await once(server, 'listening');
  return { server, name };
}

function close(server: Server): Promise<unknown> {
  return new Promise((resolve) => server.close(resolve));
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
