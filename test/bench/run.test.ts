import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type RunResult, run } from '../support/run.ts';

const RUNNER = fileURLToPath(new URL('../../bench/run.ts', import.meta.url));
const runner = (...args: readonly string[]): Promise<RunResult> => run(process.execPath, [RUNNER, ...args]);

test('--json prints what was measured, of the benchmarks whose name holds a word', async () => {
  const { code, stdout, stderr } = await runner('--json', 'nix32');
  assert.deepEqual([code, stderr], [0, '']);
  const measurements = JSON.parse(stdout) as Record<string, unknown>[];
  assert.deepEqual(
    measurements.map(({ file, name }) => [file, name]),
    [
      ['nix32.bench.ts', 'encode 32 bytes'],
      ['nix32.bench.ts', 'decode 32 bytes'],
      ['nix32.bench.ts', 'encode 20 bytes'],
      ['nix32.bench.ts', 'decode 20 bytes'],
    ],
  );
  for (const { mean, p50, p99, rate, samples } of measurements) {
    for (const value of [mean, p50, p99, rate, samples]) assert.ok(Number(value) > 0);
  }
});

test('--help says how to ask, and runs nothing', async () => {
  const { code, stdout } = await runner('--help');
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: .*\n/);
  for (const word of ['--json', 'mean', 'p50', 'p99', 'samples', 'rate']) assert.ok(stdout.includes(word), word);
});

test('a word that no name holds is an error', async () => {
  const { code, stderr } = await runner('no-such-benchmark');
  assert.notEqual(code, 0);
  assert.match(stderr, /no benchmark has a name with no-such-benchmark/);
});
