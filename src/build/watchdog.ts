/**
 * Ends builders when this thread ends, whatever ends it. A shell waits for the end of a pipe whose other end is here,
 * and knows the process groups that it has to kill then. `kill -9` closes the pipe too.
 *
 * A process that has left its group is known by a variable that builders have from Sluice. One that has dropped that as
 * well is out of reach here. Where builders have users of their own, the next build of that user kills it; in a sandbox it
 * dies with that.
 *
 * Source: Linux man-pages proc(5), /proc/PID/environ; setsid(2).
 */
import { Socket } from 'node:net';
import { processLibc } from './process-libc.ts';
import { findProgram } from './sandbox/probe.ts';

export interface Watchdog {
  /**
   * Has a process group killed with this thread, until disposed.
   *
   * @param mark - `NAME=VALUE`, a variable that no other process has: who has it is killed too.
   */
  watch(group: number, mark?: string | undefined): Disposable;
}

/**
 * A line is a process group and, after a space, a mark. `$1` is grep(1). Looking for marks ends when nobody has one, since
 * who is found may have children meanwhile; the number of times is bounded, as there are processes that do not die at once.
 */
const SCRIPT = `
grep=$1
shift
while IFS= read -r line; do
  known=
  for each do
    shift
    if [ "$each" = "$line" ]; then known=yes; else set -- "$@" "$each"; fi
  done
  [ "$known" ] || set -- "$@" "$line"
done
for each do
  shift
  kill -s KILL -- "-\${each%% *}"
  mark=\${each#* }
  [ -z "$mark" ] || set -- "$@" -e "$mark"
done
[ $# -gt 0 ] || exit 0
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  found=$("$grep" -lzxF "$@" /proc/[0-9]*/environ)
  [ "$found" ] || exit 0
  for file in $found; do
    process=\${file#/proc/}
    kill -s KILL "\${process%/environ}"
  done
done`;

let started: Watchdog | undefined;

/** The watchdog of this thread; started with the first build. */
export function threadWatchdog(): Watchdog {
  started ??= start();
  return started;
}

function start(): Watchdog {
  const libc = processLibc();
  const { read, write } = libc.openPipe();
  libc.spawn({
    program: '/bin/sh',
    args: ['sh', '-c', SCRIPT, 'sh', findProgram('grep') ?? 'grep'],
    env: new Map(),
    cwd: '/',
    input: read,
  });
  libc.close(read);
  const pipe = new Socket({ fd: write, readable: false, writable: true }).unref();
  pipe.on('error', () => {});
  const tell = (line: string): void => void pipe.write(`${line}\n`);
  return {
    watch: (group, mark = '') => {
      const line = `${group} ${mark.includes('\n') ? '' : mark}`;
      tell(line);
      using watched = new DisposableStack();
      watched.defer(() => tell(line)); // the second time takes it off
      return watched.move();
    },
  };
}
