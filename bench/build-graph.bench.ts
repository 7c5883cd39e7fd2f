/**
 * What a scheduler does for a build beside the build: goals, locks, order, registration. Nothing is built, and the store
 * is in memory. Ten times as many derivations must take ten times as long, no more.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench } from 'tinybench';
import { type BuildGraph, makeBuildGraph, runBuildGraph } from './build-graph.ts';

export const bench: Bench = new Bench({
  name: 'builds that do nothing',
  iterations: 3,
  time: 0,
  warmupIterations: 1,
  warmupTime: 0,
});

const scratch = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
process.once('exit', () => rmSync(scratch, { recursive: true }));
let runs = 0;

for (const count of [1_000, 10_000]) {
  for (const shape of ['chain', 'layers'] as const) {
    const graph: BuildGraph = makeBuildGraph(shape, count);
    bench.add(`${shape}, ${count.toLocaleString('en')} derivations`, async () => {
      await runBuildGraph(graph, join(scratch, `${runs++}`));
    });
  }
}
