/**
 * Killing all that runs as one user: kill(2) with -1, by a thread that acts as that user and may signal nobody else.
 *
 * Source: Nix 2.35 libutil/unix/processes.cc, killUser; Linux man-pages kill(2), proc(5).
 */
import { readFileSync } from 'node:fs';
import { InternalError } from '../errors.ts';
import { processLibc } from './process-libc.ts';
import type { User } from './spawn.ts';
import { actAs } from './thread-state.ts';

const EVERYBODY = -1;
const SIGKILL = 9;

/**
 * Once is enough: who is to be killed runs no more of its program, and a fork(2) under way fails. The process that calls
 * is left out.
 */
export function killAllOf(user: User): void {
  using _as = actAs(user);
  refuseMight(user);
  void processLibc().kill(EVERYBODY, SIGKILL);
}

/** Somebody with the capabilities of root would kill the whole machine. */
function refuseMight({ uid }: User): void {
  const status = readFileSync('/proc/thread-self/status', 'latin1');
  const [, real, effective] = /^Uid:\s*(\d+)\s+(\d+)/m.exec(status) ?? [];
  const [, capabilities] = /^CapEff:\s*([0-9a-f]+)/m.exec(status) ?? [];
  if (Number(real) === uid && Number(effective) === uid && uid !== 0 && /^0+$/.test(capabilities ?? '')) return;
  throw new InternalError(`cannot become user ${uid} without the rights of root`, {
    hint: 'the securebits of this process keep capabilities: see capabilities(7)',
  });
}
