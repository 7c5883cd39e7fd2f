/**
 * What this process may do beyond its user's rights.
 *
 * Source: Linux man-pages capabilities(7).
 */
import { readProcessStatus } from './process-status.ts';

const CAP_DAC_OVERRIDE = 1n;

/** Whether permissions of files do not hold for this process, as for root mostly. Where nobody says, they do. */
export function overridesPermissions(): boolean {
  const effective = readProcessStatus(/^CapEff:\s*([0-9a-f]+)$/m);
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_DAC_OVERRIDE) & 1n) === 1n;
}
