/**
 * The log of one build: what the builder prints goes to those who watch, a little at a time however fast it comes; its
 * last lines are kept for the case that it fails.
 *
 * Messages in the form of Nix's own (`@nix {…}`) are told as what they say.
 *
 * Source: Nix 2.35 libstore/build/build-log.cc; libutil/logging.cc, handleJSONLogMessage.
 */
import { parseLogLine } from '../formats/structured-log.ts';
import type { Notice } from '../pool/messages.ts';
import { LogLines } from './log-lines.ts';

export interface BuilderLogOptions {
  readonly tell: (notice: Notice) => void;
  /** How many lines are kept. */
  readonly tailLines: number;
  /** Stops who prints, or lets them go on. */
  readonly onFull: (full: boolean) => void;
}

/** In milliseconds: how long a line waits for others. */
const TELL_EVERY = 50;
/** In characters: what is told at once. */
const TELL_AT = 64 * 1024;
/** In characters: when nothing more is taken until {@link TELL_EVERY} is over. 20 MiB/s are read by nobody. */
const FULL_AT = 1024 * 1024;

export class BuilderLog {
  readonly #options: BuilderLogOptions;
  readonly #lines = new LogLines((line) => this.addLine(line));
  readonly #tail: string[] = [];
  #untold: string[] = [];
  #size = 0;
  /** In this period, told or not. */
  #taken = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BuilderLogOptions) {
    this.#options = options;
  }

  /** The last lines. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  push(chunk: Buffer): void {
    this.#lines.push(chunk);
  }

  /** Tells all that is left. */
  finish(): void {
    this.#lines.finish();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flush();
  }

  addLine(line: string): void {
    if (!this.#understand(line)) this.#add(line);
  }

  #add(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > this.#options.tailLines) this.#tail.shift();
    this.#untold.push(line);
    this.#size += line.length + 1;
    this.#taken += line.length + 1;
    this.#timer ??= setTimeout(() => this.#period(), TELL_EVERY);
    if (this.#size >= TELL_AT) this.#flush();
    if (this.#taken >= FULL_AT) this.#options.onFull(true);
  }

  #period(): void {
    this.#timer = undefined;
    const full = this.#taken >= FULL_AT;
    this.#taken = 0;
    this.#flush();
    if (full) this.#options.onFull(false);
  }

  #flush(): void {
    if (this.#untold.length === 0) return;
    this.#options.tell({ kind: 'log', lines: this.#untold });
    this.#untold = [];
    this.#size = 0;
  }

  /** Tells what a message for programs says; false where the line is for people. */
  #understand(line: string): boolean {
    const message = parseLogLine(line);
    if (message === undefined) return false;
    if (message.action === 'msg') for (const each of message.msg.split('\n')) this.#add(each);
    if (message.action !== 'setPhase') return true;
    this.#flush(); // what came before is told before
    this.#options.tell({ kind: 'phase', phase: message.phase });
    return true;
  }
}
