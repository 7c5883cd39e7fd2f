/**
 * Killing all that runs as one user: kill(2) with -1, by a thread that acts as that user and may signal nobody else.
 *
 * Source: Nix 2.35 libutil/unix/processes.cc, killUser; Linux man-pages kill(2), proc(5).
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { InternalError } from '../errors.ts';
import { processLibc } from './process-libc.ts';
import type { User } from './spawn.ts';
import { actAs } from './thread-state.ts';

const EVERYBODY = -1;
const SIGKILL = 9;
/** In milliseconds: how long is waited at most before it is looked again. */
const LOOK_EVERY = 50;
const LOOKS = 20;

/**
 * Done when no process of the user is left. The process that calls is never one of them. One that stays is dead, and
 * waits for a parent that does not ask how it ended.
 */
export async function killAllOf(user: User): Promise<void> {
  for (let look = 0; look < LOOKS && killOnce(user); look++) await delay(Math.min(2 ** look, LOOK_EVERY));
}

/** @returns whether there was anybody. */
function killOnce(user: User): boolean {
  using _as = actAs(user);
  refuseMight(user);
  return processLibc().kill(EVERYBODY, SIGKILL);
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
