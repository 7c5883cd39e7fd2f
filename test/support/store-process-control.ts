/** A second process of a test: started, listened to, told to go on, killed. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './local-store.ts';
import { needs } from './run.ts';

const STORE_PROCESS = fileURLToPath(new URL('store-process.ts', import.meta.url));
/** `nobody`, on most systems. */
export const ORDINARY_USER = 65534;

/** Why nothing can be run as an ordinary user, if so. */
export const noOrdinaryUser: string | false = process.getuid?.() === 0 ? needs('setpriv').skip : false;

/** An empty directory that belongs to the user that {@link StoreProcess.startAsOrdinaryUser} runs as. */
export async function ordinaryUsersDirectory(resources: AsyncDisposableStack): Promise<string> {
  const path = await temporaryDirectory(resources);
  if (process.getuid?.() === 0) await chown(path, ORDINARY_USER, ORDINARY_USER);
  return path;
}

/** Runs store-process.ts; killed, if it still runs, when disposed. */
export class StoreProcess implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly exited: Promise<unknown>;

  private constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.exited = once(this.#child, 'exit');
  }

  static start(...args: readonly string[]): StoreProcess {
    return new StoreProcess(process.execPath, [STORE_PROCESS, ...args]);
  }

  static startAsOrdinaryUser(...args: readonly string[]): StoreProcess {
    if (process.getuid?.() !== 0) return StoreProcess.start(...args);
    const user = [`--reuid=${ORDINARY_USER}`, `--regid=${ORDINARY_USER}`, '--clear-groups'];
    return new StoreProcess('setpriv', [...user, process.execPath, STORE_PROCESS, ...args]);
  }

  /** What it says next; throws where it ended instead. */
  async answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the process ended without an answer');
    return JSON.parse(value) as unknown;
  }

  goOn(): void {
    this.#child.stdin.end();
  }

  /** As `kill -9` does: it has no chance to tidy up. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
  }
}
