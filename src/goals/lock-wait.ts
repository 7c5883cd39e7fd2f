/**
 * Tells that a goal waits for the lock of a path that another process makes, once that takes longer than a moment: most
 * locks are free again before anybody could read of them.
 *
 * Source: Nix 2.35 libstore/build/derivation-building-goal.cc, which tells of it at once ("waiting for lock").
 */
import type { StorePath } from '../formats/store-path.ts';
import type { GoalContext } from './goal.ts';

/** Of waits that are shorter nothing is told, in milliseconds. */
const PATIENCE = 1_000;

/** The waits of one goal, one after the other. Disposing ends the last one. */
export class LockWait implements Disposable {
  readonly #subject: StorePath;
  readonly #events: GoalContext['events'];
  #path: StorePath | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isTold = false;

  /** @param subject - the path of the goal. */
  constructor(subject: StorePath, { events }: Pick<GoalContext, 'events'>) {
    this.#subject = subject;
    this.#events = events;
  }

  /** Another process has the lock of `path`; that it has it still is nothing new. */
  begin(path: StorePath): void {
    if (path === this.#path) return;
    this.end();
    this.#path = path;
    this.#timer = setTimeout(() => {
      this.#isTold = true;
      this.#events.emit('lockWaitStarted', { subject: this.#subject, path });
    }, PATIENCE);
  }

  /** No other process has the lock any more, or nobody waits for it. */
  end(): void {
    const path = this.#path;
    clearTimeout(this.#timer);
    this.#path = undefined;
    if (this.#isTold && path !== undefined) this.#events.emit('lockWaitEnded', { subject: this.#subject, path });
    this.#isTold = false;
  }

  [Symbol.dispose](): void {
    this.end();
  }
}
