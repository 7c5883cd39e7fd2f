/**
 * Running a program and measuring it: wall time, processor time and peak memory, as wait4(2) tells them of exactly that
 * process and those it waited for.
 *
 * On Linux a new process inherits the peak memory of whoever started it, and Node is larger than many a program. So a
 * shell, which is tiny, starts another that is to become the program, and ends; the other then is a child of this
 * process, which has said that it adopts orphans. Only when it is told to does it become the program, so that nothing
 * of all this is in the time, and the first shell cannot reap what is wanted here. It needs nothing but /bin/sh.
 *
 * Source: Linux man-pages wait4(2), getrusage(2), PR_SET_CHILD_SUBREAPER(2const).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { KoffiFunc } from 'koffi';

/** A program with its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** What one run of a program took. */
export interface Measurement {
  /** From when it was let go until it had ended. */
  readonly seconds: number;
  /** Of all its threads, in the program and in the kernel. */
  readonly cpuSeconds: number;
  /** The largest resident set that it had at any moment. */
  readonly peakBytes: number;
}

export interface MeasureOptions {
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** A file for all that it prints. */
  readonly log: string;
  /** Kills the program. */
  readonly signal: AbortSignal;
}

/** POSIX: signals above this are of no interest here, and what a core dump adds is above them. */
const SIGNAL_BITS = 0x7f;
const EXIT_CODE_SHIFT = 8;
/** Characters of what a program that failed has printed. */
const TOLD = 2_000;

/** A line from descriptor 3 lets it begin; its end, as when this process dies, does not. */
const START = '{ read -r go <&3 && exec 3<&- "$@"; } >&2 & echo "$!"';

/**
 * Runs a program to its end.
 *
 * @throws {Error} where it does not end with exit code 0, with the last that it printed.
 */
export async function measure(command: Command, { env, log, signal }: MeasureOptions): Promise<Measurement> {
  signal.throwIfAborted();
  const wait4 = await loadWait4();
  await using file = await open(log, 'w');
  const { pid, begin } = await makeOrphan(command, env, file.fd);
  const kill = (): void => void process.kill(pid, 'SIGKILL');
  signal.addEventListener('abort', kill);
  if (signal.aborted) kill();
  const start = performance.now();
  begin();
  const { status, usage } = await wait4(pid);
  const seconds = (performance.now() - start) / 1000;
  signal.removeEventListener('abort', kill);
  signal.throwIfAborted();
  if (status !== 0) {
    const said = (await readFile(log, 'utf8')).trim().slice(-TOLD);
    throw new Error(`${command.join(' ')} ended with ${describeStatus(status)}:\n${said}`);
  }
  return { seconds, ...usage };
}

interface Orphan {
  /** Of the program, which is a child of this process. */
  readonly pid: number;
  /** Lets it become the program. */
  begin(): void;
}

async function makeOrphan(command: Command, env: NodeJS.ProcessEnv, output: number): Promise<Orphan> {
  using shell = spawn('/bin/sh', ['-c', START, 'sh', ...command], { env, stdio: ['ignore', 'pipe', output, 'pipe'] });
  const exited = once(shell, 'exit');
  const pid = Number(await text(shell.stdout!));
  await exited;
  if (!Number.isInteger(pid) || pid <= 0) throw new Error(`unreachable: /bin/sh did not start '${command[0]}'`);
  const gate = shell.stdio[3] as Writable;
  gate.on('error', () => {}); // it was killed
  return { pid, begin: () => void gate.end('\n') };
}

function describeStatus(status: number): string {
  const signal = status & SIGNAL_BITS;
  return signal === 0 ? `exit code ${status >> EXIT_CODE_SHIFT}` : `signal ${signal}`;
}

type Wait4 = (pid: number) => Promise<{ status: number; usage: Omit<Measurement, 'seconds'> }>;

let loaded: Promise<Wait4> | undefined;

/** From then on this process adopts orphans. */
function loadWait4(): Promise<Wait4> {
  loaded ??= bind();
  return loaded;
}

const PR_SET_CHILD_SUBREAPER = 36;
/** struct rusage with 64-bit numbers: two times of two numbers each, then 14 numbers, of which the first is in KiB. */
const USAGE_SIZE = 18 * 8;
const MAX_RSS = 4;

async function bind(): Promise<Wait4> {
  const { default: koffi } = await import('koffi');
  const symbols = koffi.load(null);
  const prctl = symbols.func(
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  );
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) !== 0) throw new Error(`prctl failed: error ${koffi.errno()}`);
  const wait4 = symbols.func('int wait4(int pid, void *status, int options, void *usage)') as KoffiFunc<
    (pid: number, status: Buffer, options: number, usage: Buffer) => number
  >;

  return (pid) => {
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Wait4>>>();
    const status = Buffer.alloc(4);
    const usage = Buffer.alloc(USAGE_SIZE);
    wait4.async(pid, status, 0, usage, (error: unknown, result: number) => {
      if (error) reject(error);
      else if (result !== pid) reject(new Error(`wait4(${pid}) failed: error ${koffi.errno()}`));
      else resolve({ status: status.readInt32LE(), usage: readUsage(usage) });
    });
    return promise;
  };
}

function readUsage(bytes: Buffer): Omit<Measurement, 'seconds'> {
  const number = (index: number): number => Number(bytes.readBigInt64LE(index * 8));
  const cpuSeconds = number(0) + number(2) + (number(1) + number(3)) / 1e6;
  return { cpuSeconds, peakBytes: number(MAX_RSS) * 1024 };
}
