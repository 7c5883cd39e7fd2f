import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildTally } from '../../../src/cli/progress/build-tally.ts';
import { Builds } from '../../support/builds.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function follow(): { tally: BuildTally; builds: Builds; clock: FakeClock } {
  const clock = new FakeClock();
  const tally = new BuildTally(() => clock.now());
  const builds = new Builds();
  tally.follow(builds.events);
  return { tally, builds, clock };
}

const counts = ({ done, failed, expected, running }: BuildTally): object => ({
  done,
  failed,
  expected,
  running: running.size,
});

test('builds are expected, run, and end', () => {
  const { tally, builds } = follow();
  builds.expect('later');
  const [a, b] = [builds.start('a'), builds.start('b')];
  assert.deepEqual(counts(tally), { done: 0, failed: 0, expected: 3, running: 2 });
  builds.finish(a);
  builds.fail(b);
  assert.deepEqual(counts(tally), { done: 1, failed: 1, expected: 3, running: 0 });
});

test('what was never begun since something failed that it needs has not failed itself, as Nix counts', () => {
  const { tally, builds } = follow();
  builds.failDependency(builds.expect('top'));
  builds.fail(builds.start('a'));
  assert.deepEqual(counts(tally), { done: 0, failed: 1, expected: 1, running: 0 });
  assert.equal(tally.notBegun, 1);
});

test('a build that nobody needs any more counts nowhere', () => {
  const { tally, builds } = follow();
  builds.events.emit('buildFailed', { ...builds.start('a'), error: undefined });
  assert.deepEqual(counts(tally), { done: 0, failed: 0, expected: 0, running: 0 });
});

test('a running build has its machine, its beginning, its phase, and what it printed last', () => {
  const { tally, builds, clock } = follow();
  clock.pass(500);
  const view = builds.start('a', 'ssh-ng://far');
  builds.phase(view, 'buildPhase');
  builds.log(view, 'one', 'two');
  assert.deepEqual(
    [...tally.running.values()],
    [{ ...view, machine: 'ssh-ng://far', startedAt: clock.now(), phase: 'buildPhase', lastLine: 'two' }],
  );
});

test('what comes of a build after its end is not taken for a new one', () => {
  const { tally, builds } = follow();
  const view = builds.start('a');
  builds.finish(view);
  builds.log(view, 'late');
  assert.equal(tally.running.size, 0);
});
