/**
 * A trace of what a scheduler does, as `--trace` writes it for Perfetto and chrome://tracing: goals and what they wait
 * for, registration, builds, and each worker thread with its transfers. It is written as it goes and holds what is under way,
 * not what is done.
 */
import type { EventEmitter } from 'eventemitter3';
import { pathName, printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import type { BuildView, SchedulerEvents, TransferView } from '../../goals/events.ts';
import type { GoalResult } from '../../goals/goal.ts';
import type { Progress, Timings } from '../../pool/messages.ts';
import { GoalSlice } from './goal-slice.ts';
import { LaneGroup } from './lane-group.ts';
import type { TraceArguments, TraceSink } from './trace-event.ts';
import { Traffic } from './traffic.ts';
import { transferSlice } from './transfer-slice.ts';

/** The main thread's heading and lane. Worker threads come after it, in the order of their numbers. */
const MAIN = 1;
/** The heading of builds, which have processes of their own; after any worker thread. */
const BUILDS = 9_999;
/** Above the number of any thread: a lane with its group's number is taken for the main thread of a process. */
const FIRST_LANE = 10_000;

interface OpenGoal {
  readonly slice: GoalSlice;
  /** When its transfer was handed over, in microseconds. */
  handedOver: number;
  /** What {@link Traffic} knows of. */
  received: Progress;
}

const NOTHING: Progress = { downloadedBytes: 0, narBytes: 0 };

export class Trace implements Disposable {
  readonly #put: TraceSink;
  readonly #clock: () => number;
  readonly #origin: number;
  readonly #goals = new Map<StorePath, OpenGoal>();
  readonly #workers = new Map<number, LaneGroup>();
  readonly #commits: LaneGroup;
  #builds: LaneGroup | undefined;
  readonly #traffic: Traffic;
  #goalCount = 0;
  #laneCount = 0;
  #ended = false;

  /** @param clock - milliseconds since the epoch, with fractions, as {@link Timings} has them. */
  constructor(put: TraceSink, clock: () => number = epochTime) {
    this.#put = (event) => {
      if (!this.#ended) put(event);
    };
    this.#clock = clock;
    this.#origin = clock();
    this.#commits = this.#newGroup(MAIN, 'main thread', 'commit');
    this.#traffic = new Traffic({ pid: MAIN, tid: MAIN, put: this.#put });
  }

  /** Draws what these events tell of. */
  follow(events: EventEmitter<SchedulerEvents>, { storeDir }: { readonly storeDir: StoreDir }): void {
    events.on('goalStarted', ({ path }) => this.#startGoal(path, storeDir));
    events.on('infoQueried', ({ path, milliseconds, substituter, found }) => {
      const slice = this.#goals.get(path)?.slice;
      const now = this.#now();
      slice?.begin('query', now - Math.round(milliseconds * 1000), { substituter, found });
      slice?.endPhase(now);
    });
    events.on('transferExpected', ({ path }) => {
      this.#goals.get(path)?.slice.begin('queue', this.#now());
      this.#traffic.change(this.#now(), { queued: 1 });
    });
    events.on('transferStarted', (view) => this.#startTransfer(view));
    events.on('transferProgress', (progress) => this.#receive(progress));
    events.on('transferFinished', (view) => this.#finishTransfer(view, storeDir));
    events.on('transferFailed', (view) => this.#giveUpTransfer(view));
    events.on('lockWaitStarted', ({ subject, path }) => {
      this.#goals.get(subject)?.slice.begin('lock', this.#now(), { path: printStorePath(storeDir, path) });
    });
    events.on('lockWaitEnded', ({ subject }) => this.#goals.get(subject)?.slice.endPhase(this.#now()));
    events.on('buildExpected', ({ drvPath }) => this.#goals.get(drvPath)?.slice.begin('queue', this.#now()));
    events.on('buildStarted', ({ drvPath, machine }) => {
      this.#goals.get(drvPath)?.slice.begin('build', this.#now(), { machine });
    });
    events.on('buildPhase', ({ drvPath, phase }) => this.#goals.get(drvPath)?.slice.mark(phase, this.#now(), {}));
    events.on('buildFinished', (view) => this.#endBuild(view, view.milliseconds));
    events.on('buildFailed', ({ drvPath, error }) => {
      this.#goals.get(drvPath)?.slice.endPhase(this.#now(), { error: error?.message ?? 'not needed any more' });
    });
    events.on('substituterFailed', ({ path, substituter, error }) => {
      const args = { substituter, error: error.message };
      this.#goals.get(path)?.slice.mark('substituter failed', this.#now(), args);
    });
    events.on('pathsRegistered', ({ paths, milliseconds }) => {
      const end = this.#now();
      const start = Math.max(0, end - Math.round(milliseconds * 1000));
      this.#commits.add({ name: 'commit', start, end, args: { paths: paths.length } });
    });
    events.on('goalFinished', ({ path, result }) => {
      this.#goals.get(path)?.slice.end(this.#now(), describe(result));
      this.#goals.delete(path);
    });
  }

  /** Ends what is open still. What comes afterwards is not drawn. */
  [Symbol.dispose](): void {
    if (this.#ended) return;
    const now = this.#now();
    for (const { slice } of this.#goals.values()) slice.end(now, { state: 'interrupted' });
    this.#goals.clear();
    this.#traffic.end(now);
    this.#ended = true;
  }

  #startGoal(path: StorePath, storeDir: StoreDir): void {
    const now = this.#now();
    this.#goals.get(path)?.slice.end(now); // one that nobody needed and somebody needs again
    const args = { path: printStorePath(storeDir, path) };
    const options = { id: ++this.#goalCount, pid: MAIN, tid: MAIN, name: pathName(path), args, put: this.#put };
    this.#goals.set(path, { slice: new GoalSlice(options, now), handedOver: now, received: NOTHING });
  }

  #startTransfer({ path, substituter, narSize, downloadSize }: TransferView): void {
    const now = this.#now();
    this.#traffic.change(now, { queued: -1, running: 1 });
    const goal = this.#goals.get(path);
    if (goal === undefined) return;
    goal.slice.begin('transfer', now, { substituter, narSize, downloadSize });
    Object.assign(goal, { handedOver: now, received: NOTHING });
  }

  #receive({ path, downloadedBytes, narBytes }: Progress & { readonly path: StorePath }): void {
    const goal = this.#goals.get(path);
    if (goal === undefined) return;
    const { received } = goal;
    goal.received = { downloadedBytes, narBytes };
    this.#traffic.add(this.#now(), {
      downloadedBytes: downloadedBytes - received.downloadedBytes,
      narBytes: narBytes - received.narBytes,
    });
  }

  #finishTransfer(
    view: TransferView & { readonly downloadedBytes: number; readonly timings: Timings },
    storeDir: StoreDir,
  ): void {
    const { path, substituter, narSize, downloadedBytes, timings } = view;
    const now = this.#now();
    this.#receive({ path, downloadedBytes, narBytes: narSize });
    this.#traffic.change(now, { running: -1 });
    const goal = this.#goals.get(path);
    if (goal === undefined) return;
    goal.slice.begin('register', now);
    const taken = this.#microseconds(timings.started);
    const slice = transferSlice(pathName(path), { timings, taken, from: goal.handedOver, to: now });
    const args = { path: printStorePath(storeDir, path), substituter, narSize, downloadedBytes };
    this.#worker(timings.thread).add({ ...slice, args, from: goal.slice.id });
  }

  #giveUpTransfer({ path, error }: TransferView & { readonly error: Error | undefined }): void {
    const now = this.#now();
    const slice = this.#goals.get(path)?.slice;
    this.#traffic.change(now, slice?.phase === 'transfer' ? { running: -1 } : { queued: -1 });
    slice?.endPhase(now, { error: error?.message ?? 'not needed any more' });
  }

  #endBuild({ drvPath, name }: BuildView, milliseconds: number): void {
    const now = this.#now();
    const goal = this.#goals.get(drvPath)?.slice;
    goal?.endPhase(now);
    const start = Math.max(0, now - Math.round(milliseconds * 1000));
    this.#builds ??= this.#newGroup(BUILDS, 'builds', 'build');
    this.#builds.add({ name, start, end: now, from: goal?.id });
  }

  #worker(thread: number): LaneGroup {
    const known = this.#workers.get(thread);
    if (known !== undefined) return known;
    const group = this.#newGroup(MAIN + 1 + thread, `worker thread ${thread}`, 'transfer');
    this.#workers.set(thread, group);
    return group;
  }

  #newGroup(pid: number, heading: string, lane: string): LaneGroup {
    return new LaneGroup({ pid, heading, lane, put: this.#put, newTid: () => FIRST_LANE + this.#laneCount++ });
  }

  #now(): number {
    return this.#microseconds(this.#clock());
  }

  #microseconds(epoch: number): number {
    return Math.round((epoch - this.#origin) * 1000);
  }
}

function describe(result: GoalResult): TraceArguments {
  switch (result.state) {
    case 'succeeded':
      return { state: result.state, how: result.how };
    case 'cancelled':
      return { state: result.state };
    default:
      return { state: result.state, error: result.failure.message };
  }
}

/** The time that worker threads have, too, in milliseconds with fractions. */
function epochTime(): number {
  return performance.timeOrigin + performance.now();
}
