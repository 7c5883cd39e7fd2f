/**
 * Opens stores behind the protocols of Nix: `daemon`, `unix://SOCKET`, `ssh-ng://HOST`, `ssh://HOST`. Nothing is
 * connected before it is needed.
 *
 * Source: Nix 2.35 libstore/uds-remote-store.cc, ssh-store.cc, legacy-ssh-store.cc.
 */
import { join } from 'node:path';
import { FormatError, TransferError } from '../../errors.ts';
import { pathOfStoreReference, type StoreReference } from '../../formats/store-reference.ts';
import type { Settings } from '../../settings.ts';
import { type Channel, connectUnix } from './channel.ts';
import { Connection } from './connection.ts';
import type { Peer } from './connection-pool.ts';
import { parseRemoteParams, type RemoteOptions } from './params.ts';
import { patienceToConnect } from './patience.ts';
import { ServeClient } from './serve-client.ts';
import { ServeStore } from './serve-store.ts';
import { connectSsh } from './ssh-channel.ts';
import { SSH_PARAMS, sshTarget } from './ssh-command.ts';
import { WorkerClient } from './worker-client.ts';
import { WorkerStore } from './worker-store.ts';

/** Environment variables, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A daemon on this machine.
 *
 * @param environment - of these NIX_DAEMON_SOCKET_PATH and NIX_STATE_DIR count where no socket is named.
 * @throws {UsageError} on a parameter that is not known.
 */
export function openDaemonStore(
  reference: StoreReference,
  settings: Settings,
  environment: Environment = process.env,
): WorkerStore {
  const options = parseRemoteParams(reference, settings);
  const path = pathOfStoreReference(reference) || defaultSocket(environment);
  const connect = (signal: AbortSignal): Promise<Channel> => connectUnix(path, options.uri, signal);
  return new WorkerStore(options, (signal) => greetDaemon(options, connect, signal));
}

/**
 * A daemon on another machine.
 *
 * @param environment - of these NIX_SSHOPTS counts.
 * @throws {UsageError} on a URI that names no host, and on a parameter that is not known.
 */
export function openSshDaemonStore(
  reference: StoreReference,
  settings: Settings,
  environment: Environment = process.env,
): WorkerStore {
  const options = parseRemoteParams(reference, settings, SSH_PARAMS);
  const connect = sshConnector(reference, options, { name: 'nix-daemon', args: ['--stdio'] }, environment);
  return new WorkerStore(options, (signal) => greetDaemon(options, connect, signal));
}

/** A store on another machine by the older protocol. Parameters and errors are those of {@link openSshDaemonStore}. */
export function openServeStore(
  reference: StoreReference,
  settings: Settings,
  environment: Environment = process.env,
): ServeStore {
  const options = parseRemoteParams(reference, settings, SSH_PARAMS);
  const connect = sshConnector(reference, options, { name: 'nix-store', args: ['--serve', '--write'] }, environment);
  return new ServeStore(options, (signal) => greet(options, connect, (each) => ServeClient.open(each), signal));
}

type Connect = (signal: AbortSignal) => Promise<Channel>;

function greetDaemon(options: RemoteOptions, connect: Connect, signal: AbortSignal | undefined): Promise<WorkerClient> {
  return greet(options, connect, (connection) => WorkerClient.open(connection, options.uri), signal);
}

function sshConnector(
  reference: StoreReference,
  { uri, settings: { connectTimeout } }: RemoteOptions,
  program: { readonly name: string; readonly args: readonly string[] },
  environment: Environment,
): Connect {
  const target = sshTarget(reference, program);
  return () => connectSsh(target, uri, { options: environment.NIX_SSHOPTS, connectTimeout });
}

/** Connects, and says hello, within the time of setting `connect-timeout`. */
async function greet<P extends Peer>(
  { uri, settings }: RemoteOptions,
  connect: Connect,
  hello: (connection: Connection) => Promise<P>,
  signal: AbortSignal | undefined,
): Promise<P> {
  using scope = new DisposableStack();
  const given = signal ?? new AbortController().signal;
  const connection = scope.use(new Connection(await connect(given), uri));
  using _failing = connection.failOn(given);
  using _limit = connection.limit(patienceToConnect(settings));
  try {
    const peer = await hello(connection);
    scope.move(); // it lives on
    return peer;
  } catch (error) {
    given.throwIfAborted();
    if (!(error instanceof FormatError || error instanceof TransferError)) throw error;
    const why = await connection.explain();
    const problem =
      error instanceof FormatError && why !== undefined ? `${error.message}: ${why.message}` : why?.message;
    const transient = error.transient && why?.transient !== false;
    throw new TransferError(`cannot open '${uri}': ${problem ?? error.message}`, { cause: error, transient });
  }
}

function defaultSocket({ NIX_DAEMON_SOCKET_PATH, NIX_STATE_DIR }: Environment): string {
  return NIX_DAEMON_SOCKET_PATH || join(NIX_STATE_DIR || '/nix/var/nix', 'daemon-socket/socket');
}
