/**
 * Ends builders when this thread ends, whatever ends it. A shell waits for the end of a pipe whose other end is here,
 * and knows the process groups that it has to kill then. `kill -9` closes the pipe too.
 */
import { Socket } from 'node:net';
import { processLibc } from './process-libc.ts';

export interface Watchdog {
  /** Has a process group killed with this thread, until disposed. */
  watch(group: number): Disposable;
}

const SCRIPT = `
groups=
while read -r group; do
  case " $groups " in
    *" $group "*) rest=; for each in $groups; do [ "$each" = "$group" ] || rest="$rest $each"; done; groups=$rest;;
    *) groups="$groups $group";;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done`;

let started: Watchdog | undefined;

/** The watchdog of this thread; started with the first build. */
export function threadWatchdog(): Watchdog {
  started ??= start();
  return started;
}

function start(): Watchdog {
  const libc = processLibc();
  const { read, write } = libc.openPipe();
  libc.spawn({ program: '/bin/sh', args: ['sh', '-c', SCRIPT], env: new Map(), cwd: '/', input: read });
  libc.close(read);
  const pipe = new Socket({ fd: write, readable: false, writable: true }).unref();
  pipe.on('error', () => {});
  const tell = (group: number): void => void pipe.write(`${group}\n`);
  return {
    watch: (group) => {
      tell(group);
      using watched = new DisposableStack();
      watched.defer(() => tell(group)); // the second time takes it off
      return watched.move();
    },
  };
}
