/**
 * Which permissions new files do not get. Asking in the usual way, as `process.umask()` does, sets it to 0 for a moment,
 * for all threads: what another thread makes or starts just then, everybody may write to, and a process keeps that.
 *
 * Source: Linux man-pages umask(2).
 */
import { readProcessStatus } from './process-status.ts';

/** The umask of this process; on Linux nothing changes meanwhile. */
export function readUmask(): number {
  const digits = readProcessStatus(/^Umask:\s*([0-7]+)$/m);
  return digits ? Number.parseInt(digits, 8) : process.umask();
}
