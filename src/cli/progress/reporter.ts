/** What tells the user how work goes on, in one of three forms: a live display, plain lines, or JSON for programs. */
import type { EventEmitter } from 'eventemitter3';
import type { StoreDir } from '../../formats/store-path.ts';
import type { SchedulerEvents } from '../../goals/events.ts';
import type { CheckView } from './frame.ts';

/** Nix's names; the index is Nix's number. */
export const LEVELS = ['error', 'warn', 'notice', 'info', 'talkative', 'chatty', 'debug'] as const;
export type Level = (typeof LEVELS)[number];

export const LOG_FORMATS = ['bar', 'raw', 'internal-json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Disposing ends what is live; what was said stays. */
export interface Reporter extends Disposable {
  /** Tells of every transfer that these events tell of. */
  follow(events: EventEmitter<SchedulerEvents>, route: Route): void;
  /** Says what all transfers came to, once they have ended. */
  summarise(): void;
  /** Shows how far the check of a store has come. */
  showCheck(view: CheckView): void;
  /** Prints a message, without its newline; dropped where the user asked for less. */
  say(level: Level, text: string): void;
}

/** Whose paths are copied, and where to. */
export interface Route {
  readonly storeDir: StoreDir;
  /** URI of the store that receives. */
  readonly to: string;
  /** How many stores are copied from, of which one can stand in for another; where it is missing, one. */
  readonly sources?: number;
  /** Whether each line that builders print is told; by default where there is no live display. */
  readonly printBuildLogs?: boolean | undefined;
}

/** The time, and a call every so often; a test has its own. */
export interface Clock {
  /** Milliseconds from any beginning; never goes back. */
  now(): number;
  /** Calls `tick` until disposed. Does not keep the process alive. */
  every(milliseconds: number, tick: () => void): Disposable;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  every: (milliseconds, tick) => setInterval(tick, milliseconds).unref(),
};

/** Whether someone who wants messages up to `most` wants one of `level`. */
export function isWanted(level: Level, most: Level): boolean {
  return LEVELS.indexOf(level) <= LEVELS.indexOf(most);
}
