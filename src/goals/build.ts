/**
 * The build of a derivation whose inputs are valid.
 *
 * First a place is waited for, with nothing in hand; then the locks of the outputs are taken, where they are free. Where
 * somebody else has one, the place goes to another build until that has changed. So nothing is held while something is
 * waited for that may take as long as a build.
 */
import { BuildError, decodeError, type ErrorMessage } from '../errors.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { BuiltOutput, Notice } from '../pool/messages.ts';
import { exportedGraphs, inputsOf } from './build-inputs.ts';
import { type BuildPlace, type BuildTask, type DerivationContext, PlaceLost } from './derivation-context.ts';
import { missingOutputs, type OutputPaths } from './derivation-outputs.ts';
import type { BuildView } from './events.ts';
import type { BuildTimes, JobOptions } from './goal.ts';
import { LockWait } from './lock-wait.ts';

/** So many places may be lost before the build is given up. */
const MOST_LOST = 5;

/** What came of one try. */
type Attempt =
  /** Built; or, where there are no times, somebody else was faster. */
  | { readonly state: 'done'; readonly times: BuildTimes | undefined }
  /** Somebody else is making an output. */
  | { readonly state: 'locked' }
  | { readonly state: 'lost'; readonly error: PlaceLost };

type NamedPath = readonly [name: string, path: StorePath];

export class Build {
  readonly #task: BuildTask;
  readonly #view: BuildView;
  readonly #outputs: OutputPaths;
  readonly #context: DerivationContext;
  /** How many places were lost. */
  #lost = 0;
  /** Whether others have been tried in vain. */
  #declined = false;

  /** @param outputs - all of the derivation. */
  constructor(task: BuildTask, view: BuildView, outputs: OutputPaths, context: DerivationContext) {
    this.#task = task;
    this.#view = view;
    this.#outputs = outputs;
    this.#context = context;
  }

  /**
   * Builds, registers, and runs the hook.
   *
   * @returns undefined where somebody else was faster.
   * @throws {BuildError} where it cannot be built; the reason of the context's signal.
   */
  async run(): Promise<BuildTimes | undefined> {
    const { builds, signal } = this.#context;
    const paths = [...this.#outputs.values()];
    using wait = new LockWait(this.#task.drvPath, this.#context);
    for (;;) {
      const attempt = await this.#attempt(paths, wait);
      switch (attempt.state) {
        case 'done':
          return attempt.times;
        case 'locked':
          await builds.lockChange(paths, signal);
          if (this.#task.mode === 'normal' && (await this.#missing()).length === 0) return undefined;
          break;
        case 'lost':
          await this.#placeLost(attempt.error);
      }
    }
  }

  async #placeLost({ failure, again }: PlaceLost): Promise<void> {
    if (failure !== undefined && ++this.#lost === MOST_LOST) throw failure;
    if (again === 'elsewhere') this.#declined = true;
    else await this.#context.builds.later(this.#context.signal);
  }

  async #attempt(paths: readonly StorePath[], wait: LockWait): Promise<Attempt> {
    const { builds, signal } = this.#context;
    using held = new DisposableStack();
    const place = held.use(await builds.place(this.#task, this.#declined, signal));
    const lock = await builds.tryLock(paths, (path) => wait.begin(path));
    if (lock === undefined) return { state: 'locked' };
    held.use(lock);
    wait.end();
    signal.throwIfAborted();
    const missing = await this.#missing(); // whoever had the locks before may have made them
    if (missing.length === 0 && this.#task.mode !== 'check') return { state: 'done', times: undefined };
    try {
      return {
        state: 'done',
        times: await this.#make(this.#task.mode === 'check' ? [...this.#outputs] : missing, place),
      };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PlaceLost) return { state: 'lost', error };
      throw error;
    }
  }

  /** Makes outputs in a place, which is disposed as soon as they are there. */
  async #make(wanted: readonly NamedPath[], place: BuildPlace): Promise<BuildTimes> {
    const { builds, events, repairs, signal } = this.#context;
    const { mode } = this.#task;
    const job: JobOptions = { signal, onNotice: (notice) => this.#tell(notice) };
    const request = await this.#request(wanted);
    using staging = await builds.openStaging(this.#task.drvPath);
    const started = performance.now();
    events.emit('buildStarted', { ...this.#view, machine: place.machine });
    const { outputs, failure, startTime, stopTime } = await place.run({ ...request, staging: staging.dir }, job);
    place[Symbol.dispose](); // what is left needs no slot
    if (failure !== undefined) throw await this.#mismatch(failure, outputs[0]);
    if (mode !== 'check' && outputs.length > 0) await builds.register(this.#task, outputs, signal);
    await this.#expectValid(wanted);
    const paths = wanted.map(([, path]) => path);
    for (const path of paths) repairs.markContentsGood(path);
    await builds.postBuildHook(this.#task, paths, job);
    events.emit('buildFinished', { ...this.#view, milliseconds: performance.now() - started });
    return { startTime, stopTime };
  }

  /** What there is to do; removes what lies where outputs will be, and is not valid. */
  async #request(wanted: readonly NamedPath[]): Promise<Omit<Parameters<BuildPlace['run']>[0], 'staging'>> {
    const { builds, repairs, signal, store } = this.#context;
    const { drvPath, derivation, options, mode } = this.#task;
    const outputs = await Promise.all(
      wanted.map(async ([name, path]) => {
        const registered = mode === 'normal' ? undefined : await repairs.queryPathInfo(path, signal);
        return { name, path, narHash: registered?.narHash };
      }),
    );
    const invalid = outputs.filter(({ narHash }) => narHash === undefined).map(({ path }) => path);
    await builds.removeInvalid(invalid, signal);
    const closure = await builds.queryClosure(await inputsOf(derivation, this.#context), signal);
    const graphs = await exportedGraphs(drvPath, options, closure, this.#context);
    const { inputDrvs: _, ...basic } = derivation;
    return { store, drvPath, derivation: basic, inputPaths: closure.map(({ path }) => path), graphs, outputs, mode };
  }

  /** A fixed output has other contents. Who sees that these are right finds them in the store, and needs no second build. */
  async #mismatch(failure: ErrorMessage, made: BuiltOutput | undefined): Promise<Error> {
    const { builds, signal, storeDir } = this.#context;
    const error = decodeError(failure);
    if (made === undefined || !(error instanceof BuildError)) return error;
    try {
      if (!(await builds.registerOther(made, signal))) return error;
    } catch (cause) {
      signal.throwIfAborted();
      return new BuildError(error.message, { failure: error.failure, cause });
    }
    const hint = `what was made is valid as '${printStorePath(storeDir, made.info.path)}': with its hash in the derivation it is used`;
    return new BuildError(error.message, { failure: error.failure, hint });
  }

  #missing(): Promise<NamedPath[]> {
    return missingOutputs(this.#outputs, this.#task.mode, this.#context);
  }

  /** Whoever built them may have said so of fewer than were wanted, or of what is not there. */
  async #expectValid(wanted: readonly NamedPath[]): Promise<void> {
    const [missing] = await missingOutputs(new Map(wanted), 'normal', this.#context);
    if (missing === undefined) return;
    const shown = printStorePath(this.#context.storeDir, missing[1]);
    throw new BuildError(`output '${shown}' was to be built, but is not valid`, {
      failure: { status: 'miscFailure' },
    });
  }

  #tell(notice: Notice): void {
    const { events } = this.#context;
    switch (notice.kind) {
      case 'log':
        events.emit('buildLog', { ...this.#view, lines: notice.lines });
        break;
      case 'phase':
        events.emit('buildPhase', { ...this.#view, phase: notice.phase });
        break;
      case 'warning':
        events.emit('buildWarning', { ...this.#view, message: notice.message });
    }
  }
}
