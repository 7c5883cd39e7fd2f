import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayBuilds } from '../../../src/cli/progress/build-messages.ts';
import type { Route } from '../../../src/cli/progress/reporter.ts';
import { TransferError } from '../../../src/errors.ts';
import { Builds } from '../../support/builds.ts';
import { ROUTE } from '../../support/transfers.ts';

function follow(route: Partial<Route> = {}): { builds: Builds; said: string[] } {
  const builds = new Builds();
  const said: string[] = [];
  sayBuilds(builds.events, { ...ROUTE, ...route }, (level, text) => said.push(`${level}: ${text}`));
  return { builds, said };
}

const DRV = '/nix/store/00000000000000000000000000000000-a.drv';

test('a build begins, prints and fails in the words of Nix', () => {
  const { builds, said } = follow();
  const view = builds.start('a', 'ssh-ng://far');
  builds.phase(view, 'buildPhase');
  builds.log(view, 'one', '\u001b[1mtwo\u001b[0m');
  builds.fail(view);
  assert.deepEqual(said, [
    `info: building '${DRV}' on 'ssh-ng://far'...`,
    'talkative: a> phase buildPhase',
    'info: a> one\na> two',
    `warn: failed: '${DRV}'`,
  ]);
});

for (const [printBuildLogs, level] of [
  [true, 'notice'],
  [false, 'talkative'],
] as const) {
  test(`lines of builders are of level ${level} where printing them is ${printBuildLogs}`, () => {
    const { builds, said } = follow({ printBuildLogs });
    builds.log(builds.start('a'), 'one');
    assert.equal(said.at(-1), `${level}: a> one`);
  });
}

test('of what was never begun is told little: what failed was named', () => {
  const { builds, said } = follow();
  builds.failDependency(builds.expect('a'));
  assert.deepEqual(said, [`talkative: not begun: '${DRV}'`]);
});

test('a build that nobody needs any more ends without a word', () => {
  const { builds, said } = follow();
  const view = builds.start('a');
  builds.events.emit('buildFailed', { ...view, error: undefined });
  builds.events.emit('buildWarning', { ...view, message: 'no sandbox here' });
  assert.deepEqual(said.slice(1), ['warn: warning: no sandbox here']);
});

test('a machine that is set aside is told, with the reason and for how long', () => {
  const { builds, said } = follow();
  const error = new TransferError('no route to host');
  builds.events.emit('machineSetAside', { machine: 'ssh-ng://far', error, milliseconds: 2_000 });
  builds.events.emit('machineSetAside', { machine: 'ssh-ng://far', error, milliseconds: Number.POSITIVE_INFINITY });
  assert.deepEqual(said, [
    "warn: warning: machine 'ssh-ng://far' gets no builds for 2.0 s: no route to host",
    "warn: warning: machine 'ssh-ng://far' gets no builds: no route to host",
  ]);
});

test('a warning that every thread has is told once', () => {
  const { builds, said } = follow();
  for (const name of ['a', 'b'])
    builds.events.emit('buildWarning', { ...builds.start(name), message: 'no sandbox here' });
  assert.deepEqual(
    said.filter((text) => text.startsWith('warn')),
    ['warn: warning: no sandbox here'],
  );
});
