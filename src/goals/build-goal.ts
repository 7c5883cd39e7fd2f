/**
 * The goal that builds a derivation: its inputs first, then all outputs that are not there, wherever there is room.
 *
 * Source: Nix 2.35 libstore/build/derivation-building-goal.cc.
 */
import { asSluiceError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { BuildMode } from '../pool/messages.ts';
import { Build } from './build.ts';
import { waitForInputs } from './build-inputs.ts';
import type { BuildTask, DerivationContext } from './derivation-context.ts';
import { pathsOf } from './derivation-outputs.ts';
import type { Goal, GoalResult } from './goal.ts';

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
    const { events, priority, signal, storeDir } = context;
    const read = await context.readDerivation(this.path);
    const task: BuildTask = { drvPath: this.path, storeDir, mode: this.#mode, priority, ...read };
    const outputs = pathsOf(storeDir, this.path, read.derivation, 'all');
    const view = { drvPath: this.path, name: read.derivation.name };
    events.emit('buildExpected', view);
    try {
      const failure = await waitForInputs(task, context);
      if (failure !== undefined) throw failure;
      const times = await new Build(task, view, outputs, context).run();
      if (times !== undefined) {
        return { state: 'succeeded', how: this.#mode === 'repair' ? 'repaired' : 'built', outputs, times };
      }
      events.emit('buildFailed', { ...view, error: undefined }); // not needed any more
      return { state: 'succeeded', how: 'alreadyValid', outputs };
    } catch (error) {
      events.emit('buildFailed', { ...view, error: signal.aborted ? undefined : asSluiceError(error) });
      throw error;
    }
  }
}
