/** Progress as plain lines: one a path, as Nix prints them where there is no terminal. */
import type { EventEmitter } from 'eventemitter3';
import type { SchedulerEvents } from '../../goals/events.ts';
import { sayBuilds } from './build-messages.ts';
import { copyingPath, sayDetails, sayLockWaits } from './messages.ts';
import { type Clock, isWanted, type Level, type Reporter, type Route } from './reporter.ts';
import { summaryOf } from './summary.ts';
import { Tally } from './tally.ts';

export class RawReporter implements Reporter {
  readonly #write: (text: string) => void;
  readonly #level: Level;
  readonly #clock: Clock;
  readonly #tally: Tally;
  /** Lines that are not written yet: those of one turn of the event loop are written at once. */
  #unwritten = '';

  /** @param level - messages up to it are printed. */
  constructor(write: (text: string) => void, level: Level, clock: Clock) {
    this.#write = write;
    this.#level = level;
    this.#clock = clock;
    this.#tally = new Tally(() => clock.now());
  }

  follow(events: EventEmitter<SchedulerEvents>, route: Route): void {
    this.#tally.follow(events);
    events.on('transferStarted', (view) => this.say('info', `${copyingPath(view, route)}...`));
    const say = (level: Level, text: string): void => this.say(level, text);
    sayDetails(events, route, say);
    sayLockWaits(events, route, say);
    sayBuilds(events, route, say);
  }

  summarise(): void {
    const summary = summaryOf(this.#tally, this.#clock.now());
    if (summary !== undefined) this.say('notice', summary);
  }

  /** A line for every path that is well would say nothing. */
  showCheck(): void {}

  say(level: Level, text: string): void {
    if (!isWanted(level, this.#level)) return;
    if (this.#unwritten === '') setImmediate(() => this.#flush());
    this.#unwritten += `${text}\n`;
  }

  #flush(): void {
    if (this.#unwritten === '') return;
    const text = this.#unwritten;
    this.#unwritten = '';
    this.#write(text);
  }

  [Symbol.dispose](): void {
    this.#flush();
  }
}
