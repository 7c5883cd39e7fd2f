/**
 * The lock that one collector holds at a time. Whoever adds temporary roots takes it too, shared and for a moment;
 * where that fails, a collector runs, and is told of them over its socket.
 *
 * Source: Nix 2.35 libstore/gc.cc.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { backOff } from '../back-off.ts';
import type { Libc } from '../libc.ts';

export interface GcLockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called where another collector runs. */
  readonly onWait?: (() => void) | undefined;
}

/** Waits for the lock and takes it. */
export async function acquireGcLock(
  libc: Libc,
  stateDir: string,
  { signal, onWait }: GcLockOptions = {},
): Promise<Disposable> {
  const file = join(stateDir, 'gc.lock');
  using opened = new DisposableStack();
  const fd = opened.adopt(openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600), closeSync);
  for (let attempt = 0; !libc.tryLock(fd, 'exclusive', file); attempt++) {
    if (attempt === 8) onWait?.(); // who adds roots holds it for less time than that takes
    await backOff(attempt, signal);
  }
  return opened.move();
}
