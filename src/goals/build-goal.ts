/**
 * The goal that builds a derivation: its inputs first, then all outputs that are not there, wherever there is room.
 *
 * It waits for other goals with nothing in its hands, then takes a slot, then the locks of its outputs. Where another
 * process has one of these, the slot goes to somebody else until that has changed.
 *
 * Source: Nix 2.35 libstore/build/derivation-building-goal.cc.
 */
import { asSluiceError, BuildError } from '../errors.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { BuildMode, BuildReply, Notice } from '../pool/messages.ts';
import { exportedGraphs, inputsOf, waitForInputs } from './build-inputs.ts';
import { type BuildPlace, type BuildTask, type DerivationContext, PlaceLost } from './derivation-context.ts';
import { missingOutputs, type OutputPaths, pathsOf } from './derivation-outputs.ts';
import type { BuildView } from './events.ts';
import type { BuildTimes, Goal, GoalResult, JobOptions } from './goal.ts';

/** So many places may be lost before the build is given up. */
const MOST_LOST = 5;

/** What came of one try: built, or nothing left to do; or somebody else holds a lock, or the place was lost. */
type Attempt =
  | { readonly state: 'done'; readonly times: BuildTimes | undefined }
  | { readonly state: 'locked' }
  | { readonly state: 'lost'; readonly error: PlaceLost };

export class BuildGoal implements Goal {
  readonly key: string;
  /** Of the derivation. */
  readonly path: StorePath;
  readonly #mode: BuildMode;

  constructor(drvPath: StorePath, mode: BuildMode) {
    this.key = `build:${mode}:${drvPath}`;
    this.path = drvPath;
    this.#mode = mode;
  }

  async run(context: DerivationContext): Promise<GoalResult> {
    const { events, signal } = context;
    const read = await context.readDerivation(this.path);
    const task: BuildTask = { drvPath: this.path, mode: this.#mode, ...read };
    const view: BuildView = { drvPath: this.path, name: read.derivation.name };
    const outputs = pathsOf(context.storeDir, this.path, read.derivation, 'all');
    events.emit('buildExpected', view);
    try {
      const failure = await waitForInputs(task, context);
      if (failure !== undefined) throw failure;
      const times = await this.#build(task, view, outputs, context);
      if (times === undefined) {
        events.emit('buildFailed', { ...view, error: undefined }); // not needed any more
        return { state: 'succeeded', how: 'alreadyValid', outputs };
      }
      return { state: 'succeeded', how: this.#mode === 'repair' ? 'repaired' : 'built', outputs, times };
    } catch (error) {
      events.emit('buildFailed', { ...view, error: signal.aborted ? undefined : asSluiceError(error) });
      throw error;
    }
  }

  /** @returns undefined where somebody else was faster. */
  async #build(
    task: BuildTask,
    view: BuildView,
    outputs: OutputPaths,
    context: DerivationContext,
  ): Promise<BuildTimes | undefined> {
    const { builds, signal } = context;
    for (let lost = 0; ; ) {
      const attempt = await this.#attempt(task, view, outputs, context);
      switch (attempt.state) {
        case 'done':
          return attempt.times;
        case 'lost':
          lost++;
          if (lost === MOST_LOST) throw attempt.error.cause;
          break;
        case 'locked':
          await builds.lockChange([...outputs.values()], signal);
          if (task.mode === 'normal' && (await missingOutputs(outputs, task.mode, context)).length === 0) {
            return undefined;
          }
      }
    }
  }

  async #attempt(task: BuildTask, view: BuildView, outputs: OutputPaths, context: DerivationContext): Promise<Attempt> {
    const { builds, signal } = context;
    using held = new DisposableStack();
    const place = held.use(await builds.place(task, signal));
    const lock = await builds.tryLock([...outputs.values()]);
    if (lock === undefined) return { state: 'locked' };
    held.use(lock);
    // Whoever had the locks before may have made them.
    const missing = await missingOutputs(outputs, task.mode, context);
    if (missing.length === 0 && task.mode !== 'check') return { state: 'done', times: undefined };
    const wanted = task.mode === 'check' ? [...outputs] : missing;
    try {
      return { state: 'done', times: await this.#run(task, view, wanted, place, context) };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PlaceLost) return { state: 'lost', error };
      throw error;
    }
  }

  /** Builds in a place that is held, with the locks held. */
  async #run(
    task: BuildTask,
    view: BuildView,
    wanted: readonly (readonly [name: string, path: StorePath])[],
    place: BuildPlace,
    context: DerivationContext,
  ): Promise<BuildTimes> {
    const { builds, events, repairs, signal } = context;
    const { drvPath, derivation, options, mode } = task;
    const paths = wanted.map(([, path]) => path);
    const infos = mode === 'normal' ? [] : await Promise.all(paths.map((path) => repairs.queryPathInfo(path, signal)));
    const inputPaths = await builds.queryClosure(await inputsOf(derivation, context), signal);
    const graphs = await exportedGraphs(drvPath, options, inputPaths, context);
    await builds.removeInvalid(
      mode === 'normal' ? paths : paths.filter((_, index) => infos[index] === undefined),
      signal,
    );
    await using staging = await builds.openStaging(drvPath);
    const started = performance.now();
    events.emit('buildStarted', { ...view, machine: place.machine });
    const job: JobOptions = { signal, onNotice: (notice) => this.#tell(view, notice, context) };
    const { inputDrvs: _, ...basic } = derivation;
    const reply = await place.run(
      {
        store: context.store,
        drvPath,
        derivation: basic,
        inputPaths: inputPaths.map(({ path }) => path),
        graphs,
        outputs: wanted.map(([name, path], index) => ({ name, path, narHash: infos[index]?.narHash })),
        staging: staging.dir,
        mode,
      },
      job,
    );
    place[Symbol.dispose](); // what is left needs no slot
    if (reply === undefined) await this.#expectValid(wanted, context);
    else if (mode !== 'check') await builds.register(task, reply.outputs, signal);
    for (const path of paths) repairs.markContentsGood(path);
    await builds.postBuildHook(task, paths, job);
    events.emit('buildFinished', { ...view, milliseconds: performance.now() - started });
    return timesOf(reply);
  }

  /** What somebody else said to have built. */
  async #expectValid(
    wanted: readonly (readonly [name: string, path: StorePath])[],
    context: DerivationContext,
  ): Promise<void> {
    const [missing] = await missingOutputs(new Map(wanted), 'normal', context);
    if (missing === undefined) return;
    const shown = printStorePath(context.storeDir, missing[1]);
    throw new BuildError(`the build hook has built '${shown}', but it is not valid`, {
      failure: { status: 'miscFailure' },
    });
  }

  #tell(view: BuildView, notice: Notice, { events }: DerivationContext): void {
    switch (notice.kind) {
      case 'log':
        events.emit('buildLog', { ...view, lines: notice.lines });
        break;
      case 'phase':
        events.emit('buildPhase', { ...view, phase: notice.phase });
        break;
      case 'warning':
        events.emit('buildWarning', { ...view, message: notice.message });
    }
  }
}

function timesOf(reply: BuildReply | undefined): BuildTimes {
  const now = Math.floor(Date.now() / 1000);
  return { startTime: reply?.startTime ?? now, stopTime: reply?.stopTime ?? now };
}
