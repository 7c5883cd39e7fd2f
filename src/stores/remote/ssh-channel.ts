/** A program on another machine, through the system's `ssh`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreError } from '../../errors.ts';
import type { Channel, Explanation } from './channel.ts';
import { LineReader } from './line-reader.ts';
import { knownHostsLine, type SshTarget, sshArguments } from './ssh-command.ts';

/** In milliseconds: for how long it is waited for the exit code. */
const EXPLAIN_TIMEOUT = 1_000;
/** Exit codes: that of a shell which does not find a program, and that of ssh itself. */
const NOT_FOUND = 127;
const SSH_FAILED = 255;

export interface SshChannelOptions {
  /** `NIX_SSHOPTS`. */
  readonly options: string | undefined;
  /** In seconds. */
  readonly connectTimeout: number;
}

/**
 * Starts `ssh`. Whether it gets anywhere shows when it is spoken to.
 *
 * @throws {StoreError} where it cannot be started.
 */
export async function connectSsh(target: SshTarget, uri: string, options: SshChannelOptions): Promise<Channel> {
  using cleanup = new DisposableStack();
  const knownHosts = target.hostKey === undefined ? undefined : writeKnownHosts(target, target.hostKey, cleanup);
  const child = spawn('ssh', sshArguments(target, { ...options, knownHosts }), {
    detached: true, // a group of its own, with the ProxyCommand that it may start
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new StoreError(`cannot open '${uri}': cannot start 'ssh'`, { cause, hint: 'install OpenSSH' });
  }
  const { stdin, stdout, stderr, pid } = child;
  const closed = once(child, 'close');
  const remove = cleanup.move();
  const lines = new LineReader((line) => channel.onLine?.(line));
  stderr.on('data', (chunk: Buffer) => lines.push(chunk)).on('error', () => {});
  stdout.once('readable', () => remove.dispose()); // the other side speaks: its key has been looked at
  child.once('close', () => remove.dispose());
  const channel: Channel = {
    input: stdout,
    output: stdin,
    onLine: undefined,
    async explain() {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, EXPLAIN_TIMEOUT);
      await Promise.race([closed, late]);
      clearTimeout(timer);
      return explainExit(child.exitCode, lines.tail());
    },
    destroy() {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      remove.dispose();
      if (child.exitCode !== null || child.signalCode !== null) return;
      // Its group, and at once: what hangs may not listen to anything else. Until it is waited for the number is its own.
      try {
        process.kill(-pid!, 'SIGKILL');
      } catch {} // it has just ended
    },
  };
  return channel;
}

function explainExit(exitCode: number | null, said: string): Explanation | undefined {
  const about = said === '' ? '' : `: ${said}`;
  const transient = exitCode !== NOT_FOUND;
  const explain = (message: string): Explanation => ({ message: message + about, transient });
  switch (exitCode) {
    case null:
    case 0:
      return said === '' ? undefined : { message: said, transient };
    case NOT_FOUND:
      return explain("there is no such program on the other side (parameter 'remote-program')");
    case SSH_FAILED:
      return explain('ssh has failed');
    default:
      return explain(`ssh ended with exit code ${exitCode}`);
  }
}

/** A file that lives until ssh has read it. */
function writeKnownHosts(target: SshTarget, hostKey: string, cleanup: DisposableStack): string {
  const directory = cleanup.adopt(mkdtempSync(join(tmpdir(), 'sluice-ssh-')), (path) => {
    rmSync(path, { recursive: true, force: true });
  });
  const file = join(directory, 'known-hosts');
  writeFileSync(file, knownHostsLine(target, hostKey), { mode: 0o600 });
  return file;
}
