/**
 * The goal that makes outputs of a derivation valid: they are valid, or substituted, or the derivation is built.
 *
 * One goal is one set of outputs. What several sets of one derivation have in common is done once: the substitution of
 * each path and the build are goals of their own.
 *
 * Source: Nix 2.35 libstore/build/derivation-trampoline-goal.cc, derivation-goal.cc; what is done with closures of which
 * substituters have only a part is that of Nix before 2.30.
 */
import { BuildError, type BuildFailureStatus, type SluiceError } from '../errors.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { BuildMode } from '../pool/messages.ts';
import { waitForInputs } from './build-inputs.ts';
import type { DerivationContext, ReadDerivation } from './derivation-context.ts';
import { missingOutputs, type OutputPaths, pathsOf } from './derivation-outputs.ts';
import type { Goal, GoalResult, Need, WantedOutputs } from './goal.ts';
import { repairClosure } from './repair-closure.ts';

export class DerivationGoal implements Goal {
  readonly key: string;
  /** Of the derivation. */
  readonly path: StorePath;
  readonly #wanted: WantedOutputs;
  readonly #mode: BuildMode;
  readonly #storeDir: StoreDir;

  constructor(drvPath: StorePath, wanted: WantedOutputs, mode: BuildMode, storeDir: StoreDir) {
    this.key = `derivation:${mode}:${drvPath}!${wanted === 'all' ? '*' : wanted.join()}`;
    this.path = drvPath;
    this.#wanted = wanted;
    this.#mode = mode;
    this.#storeDir = storeDir;
  }

  async run(context: DerivationContext): Promise<GoalResult> {
    if (!(await context.isValidPath(this.path))) {
      const [ended] = await context.settle([{ kind: 'path', path: this.path }]);
      if (ended!.state !== 'succeeded') return this.#withoutDerivation(ended!);
    }
    const read = await context.readDerivation(this.path);
    const outputs = pathsOf(this.#storeDir, this.path, read.derivation, this.#wanted);
    const missing = await missingOutputs(outputs, this.#mode, context);
    if (missing.length === 0 && this.#mode === 'normal') return { state: 'succeeded', how: 'alreadyValid', outputs };

    const substituted = await this.#substitute(read, outputs, missing, context);
    if (substituted !== undefined) return substituted;

    const [built] = await context.settle([{ kind: 'build', drvPath: this.path, mode: this.#mode }]);
    return built?.state === 'succeeded' ? { ...built, outputs } : built!;
  }

  /** @returns undefined where it has to be built. */
  async #substitute(
    read: ReadDerivation,
    outputs: OutputPaths,
    missing: readonly [name: string, path: StorePath][],
    context: DerivationContext,
  ): Promise<GoalResult | undefined> {
    if (missing.length === 0) return await this.#complete(outputs, 'alreadyValid', context);
    const paths = missing.map(([, path]) => path);
    const results = (await maySubstitute(read, context)) ? await context.settle(paths.map(this.#needOf)) : [];
    const failed = results.find((result) => result.state === 'failed');
    if (failed !== undefined && !context.settings.fallback) return this.#substitutersFailed(failed.failure);

    if ((await missingOutputs(outputs, this.#mode, context)).length === 0) {
      return await this.#complete(outputs, 'substituted', context);
    }
    if (this.#mode === 'check') {
      const hint = 'build it first; a check builds once more what is there, to compare both';
      return this.#failed('miscFailure', `cannot check ${this.#shown}: not all of its outputs are valid`, { hint });
    }
    const incomplete = results.some(({ state }) => state === 'incompleteClosure');
    return incomplete ? await this.#substituteAfterInputs(read, outputs, context) : undefined;
  }

  /**
   * A substituter has the outputs, but not all that they refer to. What is missing may come of the inputs, which a build
   * would need as well.
   */
  async #substituteAfterInputs(
    { derivation }: ReadDerivation,
    outputs: OutputPaths,
    context: DerivationContext,
  ): Promise<GoalResult | undefined> {
    const failure = await waitForInputs({ drvPath: this.path, derivation, mode: this.#mode }, context);
    if (failure !== undefined) return { state: 'failed', failure };
    const missing = await missingOutputs(outputs, this.#mode, context);
    await context.settle(missing.map(([, path]) => ({ kind: 'path', path, again: true })));
    const left = await missingOutputs(outputs, this.#mode, context);
    return left.length === 0 ? await this.#complete(outputs, 'substituted', context) : undefined;
  }

  /** The outputs are good. In mode `repair`, what they refer to shall be, too; a check goes on to build. */
  async #complete(
    outputs: OutputPaths,
    how: 'alreadyValid' | 'substituted',
    context: DerivationContext,
  ): Promise<GoalResult | undefined> {
    if (this.#mode === 'check') return undefined;
    const failure = this.#mode === 'repair' ? await repairClosure(this.path, outputs, context) : undefined;
    if (failure !== undefined) return { state: 'failed', failure };
    return { state: 'succeeded', how: how === 'substituted' && this.#mode === 'repair' ? 'repaired' : how, outputs };
  }

  readonly #needOf = (path: StorePath): Need => ({ kind: this.#mode === 'repair' ? 'repair' : 'path', path });

  #withoutDerivation(ended: GoalResult): GoalResult {
    const cause = 'failure' in ended ? ended.failure : undefined;
    return this.#failed('miscFailure', `cannot build ${this.#shown}: the derivation is not there`, { cause });
  }

  #substitutersFailed(cause: SluiceError): GoalResult {
    const message = `substitutes for outputs of ${this.#shown} failed: ${cause.message}`;
    return this.#failed('transientFailure', message, { cause, hint: 'with --fallback it is built where that happens' });
  }

  #failed(
    status: BuildFailureStatus,
    message: string,
    context: { readonly cause?: unknown; readonly hint?: string },
  ): GoalResult {
    return { state: 'failed', failure: new BuildError(message, { ...context, failure: { status } }) };
  }

  get #shown(): string {
    return `derivation '${printStorePath(this.#storeDir, this.path)}'`;
  }
}

async function maySubstitute({ options }: ReadDerivation, context: DerivationContext): Promise<boolean> {
  const { substitute, alwaysAllowSubstitutes } = context.settings;
  if (!substitute || (!options.allowSubstitutes && !alwaysAllowSubstitutes)) return false;
  return (await context.substituters()).length > 0;
}
