/** Events of a scheduler, made up: builds of which a test decides how they go. */
import { EventEmitter } from 'eventemitter3';
import { BuildError } from '../../src/errors.ts';
import type { BuildView, SchedulerEvents } from '../../src/goals/events.ts';
import { pathNamed } from './transfers.ts';

export class Builds {
  readonly events: EventEmitter<SchedulerEvents>;

  constructor(events: EventEmitter<SchedulerEvents> = new EventEmitter()) {
    this.events = events;
  }

  /** The goal starts, and finds that it has to build. */
  expect(name: string): BuildView {
    const view = { drvPath: pathNamed(`${name}.drv`), name };
    this.events.emit('goalStarted', { path: view.drvPath });
    this.events.emit('buildExpected', view);
    return view;
  }

  /** As {@link Builds.expect}; then it has its turn, too. */
  start(name: string, machine?: string): BuildView {
    const view = this.expect(name);
    this.events.emit('buildStarted', { ...view, machine });
    return view;
  }

  phase(view: BuildView, phase: string): void {
    this.events.emit('buildPhase', { ...view, phase });
  }

  log(view: BuildView, ...lines: readonly string[]): void {
    this.events.emit('buildLog', { ...view, lines });
  }

  finish(view: BuildView): void {
    this.events.emit('buildFinished', { ...view, milliseconds: 1_000 });
  }

  /** Something failed that it needs. */
  failDependency(view: BuildView): void {
    const error = new BuildError(`cannot build ${view.name}`, { failure: { status: 'dependencyFailed' } });
    this.events.emit('buildFailed', { ...view, error });
  }

  fail(view: BuildView): void {
    const error = new BuildError(`cannot build ${view.name}`, { failure: { status: 'permanentFailure' } });
    this.events.emit('buildFailed', { ...view, error });
  }
}
