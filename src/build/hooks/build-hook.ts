/**
 * The host's side of the build hook protocol: a program is offered derivations until it accepts one, which it then
 * builds wherever it likes, and registers what comes of it.
 *
 * Source: Nix 2.35 libstore/unix/build/hook-instance.cc; libstore/build/derivation-building-goal.cc, tryBuildHook,
 * buildWithHook.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { BuildError } from '../../errors.ts';
import { WireWriter } from '../../formats/wire/write.ts';
import type { Settings } from '../../settings.ts';
import { LogLines } from '../log-lines.ts';
import { settingTexts } from './setting-texts.ts';

/** What the hook is asked to build. All paths with the store directory. */
export interface HookOffer {
  readonly amWilling: boolean;
  readonly system: string;
  readonly drvPath: string;
  readonly features: readonly string[];
}

export const HOOK_ANSWERS = ['accept', 'decline', 'decline-permanently', 'postpone'] as const;
export type HookAnswer = (typeof HOOK_ANSWERS)[number];

/** Where the hook writes the log of the build. */
const LOG_FD = 4;
/** Nix's number of its default verbosity. */
const VERBOSITY = '3';
const REPLY = '# ';

/** A running hook. It can be offered one derivation after another, until it accepts. */
export class BuildHook implements Disposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;
  #onLine: (line: string) => void = () => {};
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  /** Lines of the hook that somebody will ask for. */
  readonly #replies: string[] = [];
  #building = false;

  /**
   * Starts the hook, and tells it the settings.
   *
   * @param settings - with the command, setting `build-hook`.
   */
  constructor(settings: Settings) {
    const [program, ...args] = settings.buildHook.split(/\s+/).filter((word) => word !== '');
    this.#child = spawn(program!, [...args, VERBOSITY], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'ignore', 'pipe', 'ignore'],
    });
    this.#exit = once(this.#child, 'close');
    this.#exit.catch(() => {}); // is heard of where it is waited for
    const lines = new LogLines((line) => this.#take(line));
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (chunk: Buffer) => lines.push(chunk));
    const end = (): void => {
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    };
    this.#child.once('close', end).once('error', end);
    this.#child.stdin!.on('error', () => {}); // one that ended hears nothing, and its end tells
    const dump = new WireWriter();
    for (const [name, text] of settingTexts(settings)) dump.integer(1).string(name).string(text);
    this.#write(dump.integer(0).finish());
  }

  /** Whether its process is there no more. */
  get hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    return pid === undefined || exitCode !== null || signalCode !== null;
  }

  /**
   * @param onLine - gets what it prints besides its answers, from now on.
   * @throws {BuildError} where it ends, or answers in another way than the protocol allows.
   */
  async offer(
    { amWilling, system, drvPath, features }: HookOffer,
    onLine: (line: string) => void,
  ): Promise<HookAnswer> {
    this.#onLine = onLine;
    for (const handle of this.#handles) handle.ref();
    const message = new WireWriter().string('try').boolean(amWilling).string(system).string(drvPath).strings(features);
    this.#write(message.finish());
    for (;;) {
      const line = await this.#nextLine();
      if (!line.startsWith(REPLY)) {
        this.#onLine(line);
        continue;
      }
      const answer = HOOK_ANSWERS.find((each) => each === line.slice(REPLY.length));
      if (answer === undefined) throw broken(`bad answer of the build hook: '${line}'`);
      return answer;
    }
  }

  /**
   * Has it build what it accepted.
   *
   * @param onLog - gets what the builder prints.
   * @returns the exit code; undefined where a signal ended it.
   */
  async build(
    inputs: readonly string[],
    outputs: readonly string[],
    onLog: (chunk: Buffer) => void,
  ): Promise<number | undefined> {
    await this.#nextLine(); // the machine, for who watches
    this.#building = true;
    for (const line of this.#replies.splice(0)) this.#onLine(line);
    (this.#child.stdio[LOG_FD] as Readable).on('data', onLog);
    this.#write(new WireWriter().strings(inputs).strings(outputs).finish());
    this.#child.stdin!.end();
    const [code] = (await this.#exit) as [number | null];
    return code ?? undefined;
  }

  /** Nobody waits for it until the next offer: it does not keep its thread alive. */
  rest(): void {
    for (const handle of this.#handles) handle.unref();
  }

  [Symbol.dispose](): void {
    this.#child.stdin!.destroy();
    if (this.hasEnded) return;
    try {
      process.kill(-this.#child.pid!, 'SIGTERM'); // it may want to clean up
    } catch {} // it has just ended
  }

  get #handles(): readonly { ref(): void; unref(): void }[] {
    const pipes = this.#child.stdio.filter((pipe) => pipe instanceof Socket);
    return [this.#child, ...pipes];
  }

  #write(bytes: Uint8Array): void {
    (this.#child.stdin as Writable).write(bytes);
  }

  #take(line: string): void {
    const resolve = this.#waiting.shift();
    if (resolve !== undefined) resolve(line);
    else if (this.#building) this.#onLine(line);
    else this.#replies.push(line);
  }

  async #nextLine(): Promise<string> {
    const line =
      this.#replies.shift() ??
      (await new Promise<string | undefined>((resolve) => {
        if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve(undefined);
        else this.#waiting.push(resolve);
      }));
    if (line === undefined) throw broken('the build hook ended without an answer');
    return line;
  }
}

function broken(message: string): BuildError {
  return new BuildError(message, { failure: { status: 'miscFailure' }, hint: 'see setting build-hook' });
}
