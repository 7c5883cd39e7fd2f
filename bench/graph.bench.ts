/** The goal graph alone, with goals that do nothing. Ten times as many goals must take ten times as long, no more. */
import { Bench } from 'tinybench';
import { chain, random, timeNeeds, wide } from './graph.ts';

export const bench: Bench = new Bench({
  name: 'goal graph: goals that do nothing',
  iterations: 5,
  time: 0,
  warmupIterations: 1,
  warmupTime: 0,
});

for (const count of [10_000, 100_000]) {
  for (const [name, needs] of Object.entries({ chain: chain(count), wide: wide(count), random: random(count) })) {
    const edges = needs.reduce((sum, { length }) => sum + length, 0);
    bench.add(`${name}, ${count.toLocaleString('en')} goals, ${edges.toLocaleString('en')} needs`, async () => {
      await timeNeeds(needs);
    });
  }
}
