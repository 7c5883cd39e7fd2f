/**
 * The goal that makes the contents of a path good, in whichever way: from a substituter, or by building what it is an
 * output of once more.
 *
 * Source: Nix 2.35 libstore/build/entry-points.cc, Store::repairPath.
 */
import type { StorePath } from '../formats/store-path.ts';
import type { DerivationContext } from './derivation-context.ts';
import type { Goal, GoalResult } from './goal.ts';

export class RepairOrBuildGoal implements Goal {
  readonly key: string;
  readonly path: StorePath;

  constructor(path: StorePath) {
    this.key = `repair or build:${path}`;
    this.path = path;
  }

  async run(context: DerivationContext): Promise<GoalResult> {
    const [repaired] = await context.settle([{ kind: 'repair', path: this.path }]);
    if (repaired!.state === 'succeeded') return repaired!;
    const registered = await context.repairs.queryPathInfo(this.path, context.signal);
    const deriver = registered?.deriver;
    if (deriver === undefined || !(await context.isValidPath(deriver))) return repaired!;
    // All outputs, as in Nix: which of them it is, only the derivation says.
    const [built] = await context.settle([{ kind: 'outputs', drvPath: deriver, outputs: 'all', mode: 'repair' }]);
    return built!;
  }
}
