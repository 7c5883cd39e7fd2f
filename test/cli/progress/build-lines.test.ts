import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildLines } from '../../../src/cli/progress/build-lines.ts';
import type { RunningBuild } from '../../../src/cli/progress/build-tally.ts';
import { pathNamed } from '../../support/transfers.ts';

function running(name: string, more: Partial<RunningBuild> = {}): RunningBuild {
  const nothing = { machine: undefined, phase: undefined, lastLine: undefined };
  return { drvPath: pathNamed(`${name}.drv`), name, startedAt: 0, ...nothing, ...more };
}

test('builds are lines of a table: name, phase and machine, time, and what was printed last', () => {
  const builds = [
    running('hello-2.12', { phase: 'buildPhase', lastLine: 'gcc -c hello.c' }),
    running('gcc-13', { machine: 'ssh-ng://far', startedAt: 30_000 }),
    running('x', { phase: 'checkPhase', machine: 'ssh-ng://far', startedAt: 41_500 }),
  ];
  assert.deepEqual(buildLines(builds, { columns: 100, now: 42_000 }), [
    '  hello-2.12  buildPhase                  42 s  > gcc -c hello.c',
    '  gcc-13      on ssh-ng://far             12 s',
    '  x           checkPhase on ssh-ng://far   0 s',
  ]);
});

test('where no build says more than its name, there is no room for it', () => {
  assert.deepEqual(buildLines([running('a'), running('bc')], { columns: 100, now: 1_000 }), ['  a   1 s', '  bc  1 s']);
});

test('a long name is cut', () => {
  const [line] = buildLines([running('x'.repeat(60))], { columns: 100, now: 0 });
  assert.equal(line, `  ${'x'.repeat(39)}…  0 s`);
});

test('in a narrow terminal, a name leaves room for phase and time', () => {
  const [line] = buildLines([running('x'.repeat(60), { phase: 'configurePhase' })], { columns: 45, now: 0 });
  assert.equal(line, `  ${'x'.repeat(18)}…  configurePhase  0 s`);
});

test('a phase cannot move the cursor, nor take all the room', () => {
  const phase = `\u001b[2J\n${'日'.repeat(60)}`;
  const [line, other] = buildLines([running('a', { phase }), running('b', { phase: 'b' })], { columns: 100, now: 0 });
  assert.equal(line, `  a  ${'日'.repeat(23)}…  0 s`);
  assert.equal(other, `  b  b${' '.repeat(46)}  0 s`);
});
