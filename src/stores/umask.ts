/**
 * Which permissions new files do not get. Asking in the usual way, as `process.umask()` does, sets it to 0 for a moment,
 * for all threads: what another thread makes or starts just then, everybody may write to, and a process keeps that.
 *
 * Source: Linux man-pages umask(2), proc_pid_status(5).
 */
import { readFileSync } from 'node:fs';

/** The umask of this process; on Linux nothing changes meanwhile. */
export function readUmask(): number {
  const digits = process.platform === 'linux' && /^Umask:\s*([0-7]+)$/m.exec(readStatus())?.[1];
  return digits ? Number.parseInt(digits, 8) : process.umask();
}

function readStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'latin1');
  } catch {
    return ''; // no /proc, or none that says
  }
}
