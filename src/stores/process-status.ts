/** What Linux says of this process. Source: Linux man-pages proc_pid_status(5). */
import { readFileSync } from 'node:fs';

/** What the group in `line` matches; undefined where no line does, or there is no /proc. */
export function readProcessStatus(line: RegExp): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return line.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}
