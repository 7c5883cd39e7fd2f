/** Graphs of derivations, and a scheduler that has them all built by a pool that does nothing. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { EventEmitter } from 'eventemitter3';
import { parseHash } from '../src/formats/hash.ts';
import type { BuildRequest } from '../src/pool/messages.ts';
import { GoalRunner } from '../src/scheduler/goal-runner.ts';
import { makeSettings } from '../src/settings.ts';
import { Trust } from '../src/stores/trust.ts';
import { type MadeDerivation, makeDerivation } from '../test/support/derivations.ts';
import { FakeBuilder } from '../test/support/fake-builder.ts';
import { MemoryGoalStore } from '../test/support/memory-goal-store.ts';

export interface BuildGraph {
  readonly made: readonly MadeDerivation[];
  /** Those that nobody needs. */
  readonly tops: readonly MadeDerivation[];
}

/** Of a layer each needs some of the one before: how many derivations there are in one, and how many each needs. */
const LAYER = { width: 100, needs: 8 } as const;

/** @param shape - `chain`: each needs the one before; `layers`: 100 side by side, each with eight of the layer before. */
export function makeBuildGraph(shape: 'chain' | 'layers', count: number): BuildGraph {
  const made: MadeDerivation[] = [];
  for (let id = 0; id < count; id++)
    made.push(makeDerivation({ name: `drv-${id}`, inputs: inputsOf(shape, id).map((each) => made[each]!) }));
  return { made, tops: shape === 'chain' ? made.slice(-1) : made.slice(-LAYER.width) };
}

function inputsOf(shape: 'chain' | 'layers', id: number): number[] {
  if (shape === 'chain') return id === 0 ? [] : [id - 1];
  const start = id - (id % LAYER.width) - LAYER.width;
  if (start < 0) return [];
  return Array.from({ length: LAYER.needs }, (_, need) => start + ((id * 7 + need * 13) % LAYER.width));
}

/** Outputs that refer to nothing, so that closures, which are not what is measured here, stay small. */
async function build({ outputs, drvPath }: BuildRequest) {
  return {
    startTime: 0,
    stopTime: 0,
    outputs: outputs.map(({ name, path }) => ({
      name,
      location: '/nowhere',
      info: { path, narHash: HASH, narSize: 1, references: [], deriver: drvPath, signatures: [], ultimate: true },
    })),
  };
}

const HASH = parseHash(`sha256:${'0'.repeat(64)}`);

/**
 * Builds all of a graph.
 *
 * @param dir - of an empty directory, which is made.
 * @returns the longest time that the event loop was kept, in milliseconds.
 */
export async function runBuildGraph({ made, tops }: BuildGraph, dir: string): Promise<number> {
  mkdirSync(dir);
  const store = new MemoryGoalStore(dir);
  store.addDerivations(...made);
  const settings = makeSettings({ system: 'x86_64-linux', maxJobs: 16, substitute: false });
  await using runner = new GoalRunner({
    store,
    settings,
    trust: new Trust(settings),
    events: new EventEmitter(),
    pool: new FakeBuilder({ build }),
    machines: { machines: [], shared: { whileLocked: (action) => action(), trySlot: () => undefined } },
    collector: { check: () => {}, makeRoom: async () => {} },
    substituters: () => [],
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const results = await runner.request(
    tops.map(({ drvPath }) => ({ kind: 'outputs', drvPath, outputs: 'all', mode: 'normal' })),
  );
  delay.disable();
  assert.ok(results.every(({ state }) => state === 'succeeded'));
  for (const { out } of made) assert.ok(store.valid.has(out)); // never time a wrong answer
  return delay.max / 1e6;
}
