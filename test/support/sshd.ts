/** OpenSSH's server on a free port of the loopback interface, with keys of its own, for whoever runs the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { listen } from './listen.ts';
import { isOnPath, needs, output } from './run.ts';

/** Why tests that need a server do not run, if so. It is where nobody's PATH leads. */
export const sshdMissing: string | false = isOnPath('ssh') && isOnPath('ssh-keygen') ? false : needs('ssh').skip;

const SSHD = '/usr/sbin/sshd';

export interface SshServer {
  /** `USER@127.0.0.1:PORT`. */
  readonly authority: string;
  /** The file of a key with which one may log in. */
  readonly key: string;
  /** Of the server, as parameter `base64-ssh-public-host-key` wants it. */
  readonly hostKey: string;
  /** The process. */
  readonly pid: number;
}

/**
 * Starts it, and ends it with `resources`.
 *
 * @param directory - an empty one.
 * @param environment - what those who log in find in theirs.
 */
export async function startSshd(
  directory: string,
  resources: AsyncDisposableStack,
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<SshServer> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o700);
  const [hostKey, key] = [join(directory, 'host-key'), join(directory, 'key')] as const;
  for (const file of [hostKey, key]) await output('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  const authorized = join(directory, 'authorized');
  // Runs what it is told, with this environment: sshd keeps nothing of its own.
  const shell = join(directory, 'run');
  const assignments = Object.entries({ ...environment, PATH: process.env.PATH }).flatMap(([name, value]) =>
    value === undefined ? [`unset ${name}`] : [`export ${name}='${value.replaceAll("'", String.raw`'\''`)}'`],
  );
  await writeFile(shell, `#!/bin/sh\n${assignments.join('\n')}\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n`, {
    mode: 0o755,
  });
  await writeFile(authorized, `command="${shell}" ${await readFile(`${key}.pub`, 'utf8')}`, { mode: 0o600 });
  const port = await freePort();
  const configuration = join(directory, 'sshd_config');
  const lines = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${authorized}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'MaxStartups 100',
  ];
  await writeFile(configuration, `${lines.join('\n')}\n`);
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true }); // where Debian's wants to be
  const child = spawn(SSHD, ['-D', '-e', '-f', configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  resources.defer(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  await listening(child.stderr);
  const publicKey = (await readFile(`${hostKey}.pub`, 'utf8')).trim();
  return {
    authority: `${userInfo().username}@127.0.0.1:${port}`,
    key,
    hostKey: Buffer.from(publicKey).toString('base64'),
    pid: child.pid!,
  };
}

async function listening(stderr: NodeJS.ReadableStream): Promise<void> {
  const said: string[] = [];
  for await (const line of createInterface({ input: stderr })) {
    said.push(line);
    if (!line.startsWith('Server listening')) continue;
    stderr.resume();
    return;
  }
  throw new Error(`sshd ended: ${said.join('\n')}`);
}

async function freePort(): Promise<number> {
  await using resources = new AsyncDisposableStack();
  return await listen(createServer(), resources);
}
