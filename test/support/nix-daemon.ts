/** A stock nix-daemon with a chroot store of its own, on a Unix socket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { backOff } from '../../src/stores/back-off.ts';
import { Nix } from './nix.ts';

export interface NixDaemon {
  /** `unix://SOCKET`. */
  readonly uri: string;
  readonly socket: string;
  /** Of its store. */
  readonly root: string;
  /** Looks into that without the daemon. */
  readonly nix: Nix;
}

/**
 * Starts it, and ends it with `resources`.
 *
 * @param directory - an empty one.
 * @param options - lines of nix.conf.
 */
export async function startNixDaemon(
  directory: string,
  resources: AsyncDisposableStack,
  options: readonly string[] = [],
): Promise<NixDaemon> {
  const nix = await Nix.open(join(directory, 'home'));
  const root = join(directory, 'root');
  const socket = join(directory, 'socket');
  // Two processes at once that each make a new store get in each other's way.
  await nix.output('nix-store', '--store', root, '--init');
  const env = daemonEnvironment(nix, root, options);
  const child = spawn('nix-daemon', [], {
    env: { ...process.env, ...env, NIX_DAEMON_SOCKET_PATH: socket },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const said = text(child.stderr);
  resources.defer(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  for (let attempt = 0; !(await answers(socket)); attempt++) {
    if (child.exitCode !== null) throw new Error(`nix-daemon ended: ${await said}`);
    await backOff(attempt);
  }
  return { uri: `unix://${socket}`, socket, root, nix };
}

/** What makes the programs of Nix use the chroot store at `root`. */
export function daemonEnvironment(
  nix: Nix,
  root: string,
  options: readonly string[] = [],
): Readonly<Record<string, string | undefined>> {
  // Builders run as the user of the test, and see what the machine has; in a chroot store they need a sandbox.
  const lines = ['sandbox = true', 'sandbox-paths = /bin /lib /lib64 /usr', 'filter-syscalls = false', ...options];
  return { ...nix.env, NIX_REMOTE: root, NIX_CONFIG: [nix.env.NIX_CONFIG, ...lines].join('\n') };
}

async function answers(socket: string): Promise<boolean> {
  using connection = new DisposableStack();
  const client = connection.adopt(connect(socket), (each) => void each.destroy());
  try {
    await once(client, 'connect');
    return true;
  } catch {
    return false;
  }
}
