/** Progress as a block of lines at the bottom of a terminal that is drawn anew while messages pass above it. */
import type { EventEmitter } from 'eventemitter3';
import type { SchedulerEvents } from '../../goals/events.ts';
import { sayBuilds } from './build-messages.ts';
import { type CheckView, checkFrame, type FrameOptions, progressFrame } from './frame.ts';
import { LiveBlock, type TerminalOutput } from './live-block.ts';
import { copyingPath, sayDetails, sayLockWaits } from './messages.ts';
import { RateMeter } from './rate-meter.ts';
import { type Clock, isWanted, type Level, type Reporter, type Route } from './reporter.ts';
import { summaryOf } from './summary.ts';
import { Tally } from './tally.ts';

/** Milliseconds from one frame to the next. */
const FRAME_INTERVAL = 85;

export class BarReporter implements Reporter {
  readonly #terminal: TerminalOutput;
  readonly #block: LiveBlock;
  readonly #level: Level;
  readonly #clock: Clock;
  readonly #tally: Tally;
  readonly #rate = new RateMeter();
  #check: CheckView | undefined;
  #timer: Disposable | undefined;

  /** @param level - messages up to it are printed; below `notice` there is no live block. */
  constructor(terminal: TerminalOutput, level: Level, clock: Clock) {
    this.#terminal = terminal;
    this.#block = new LiveBlock(terminal);
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
    // What a builder printed last is on the display.
    sayBuilds(events, { ...route, printBuildLogs: route.printBuildLogs ?? false }, say);
    this.#start();
  }

  summarise(): void {
    this[Symbol.dispose]();
    const summary = summaryOf(this.#tally, this.#clock.now());
    if (summary !== undefined) this.say('notice', summary);
  }

  showCheck(view: CheckView): void {
    this.#check = view;
    this.#start();
  }

  say(level: Level, text: string): void {
    if (isWanted(level, this.#level)) this.#block.print(text);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#block.clear();
  }

  #start(): void {
    if (isWanted('notice', this.#level)) this.#timer ??= this.#clock.every(FRAME_INTERVAL, () => this.#draw());
  }

  #draw(): void {
    const now = this.#clock.now();
    const narRate = this.#rate.sample(now, this.#check?.narBytes ?? this.#tally.narBytes);
    const { columns, rows } = this.#terminal;
    const options: FrameOptions = { columns, rows, narRate, now };
    this.#block.draw(
      this.#check === undefined ? progressFrame(this.#tally, options) : checkFrame(this.#check, options),
    );
  }
}
