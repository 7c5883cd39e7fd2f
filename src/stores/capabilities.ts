/**
 * What this process may do beyond its user's rights.
 *
 * Source: Linux man-pages capabilities(7), proc_pid_status(5).
 */
import { readFileSync } from 'node:fs';

const CAP_DAC_OVERRIDE = 1n;

/** Whether permissions of files do not hold for this process, as for root mostly. Where nobody says, they do. */
export function overridesPermissions(): boolean {
  try {
    const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return digits !== undefined && ((BigInt(`0x${digits}`) >> CAP_DAC_OVERRIDE) & 1n) === 1n;
  } catch {
    return false; // no /proc
  }
}
