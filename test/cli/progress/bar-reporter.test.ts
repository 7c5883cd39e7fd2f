import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BarReporter } from '../../../src/cli/progress/bar-reporter.ts';
import type { Level } from '../../../src/cli/progress/reporter.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { Screen } from '../../support/screen.ts';
import { MIB, ROUTE, Transfers } from '../../support/transfers.ts';

function follow(level: Level = 'notice') {
  const transfers = new Transfers();
  const screen = new Screen(200, 24);
  const clock = new FakeClock();
  const reporter = new BarReporter(screen, level, clock);
  reporter.follow(transfers.events, ROUTE);
  return { screen, clock, reporter, transfers };
}

test('the display follows the transfers, and ends as one line', () => {
  const { screen, clock, reporter, transfers } = follow();
  const [a, b] = [transfers.start('a', 4 * MIB), transfers.start('b', 6 * MIB)];
  clock.pass(1000);
  transfers.progress(a, MIB);
  transfers.progress(b, MIB);
  clock.pass(500);
  transfers.progress(a, 2 * MIB);
  transfers.progress(b, 3 * MIB);
  clock.pass(500);
  assert.equal(
    screen.text,
    [
      '  a  2.0/4.0 MiB  2.0 MiB/s  [========        ]',
      '  b  3.0/6.0 MiB  4.0 MiB/s  [========        ]',
      '0/2 paths, 5.0/10.0 MiB unpacked, 2.7 MiB/s, 2 s left, 2.5/5.0 MiB downloaded',
    ].join('\n'),
  );
  transfers.finish(a);
  transfers.finish(b);
  transfers.register(a, b);
  clock.pass(500);
  reporter.summarise();
  assert.equal(screen.text, 'copied 2 paths, 10.0 MiB (5.0 MiB downloaded), in 2.5 s: 0.8 paths/s, 4.0 MiB/s\n');
  assert.equal(clock.timers, 0);
});

test('there are at most twelve frames a second', () => {
  const { screen, clock, transfers } = follow();
  const view = transfers.start('a', 100 * MIB);
  for (let step = 1; step <= 1000; step++) {
    transfers.progress(view, step * 10_000);
    clock.pass(1);
  }
  assert.ok(screen.writes <= 12, `${screen.writes}`);
  assert.ok(screen.writes >= 10, `${screen.writes}`);
});

test('a substituter that fails is told above the display, once another is tried', () => {
  const { screen, clock, transfers } = follow();
  transfers.fail(transfers.start('a', MIB), 'https://other.example.org');
  clock.pass(100);
  assert.equal(
    screen.text.replaceAll('\n', ''),
    "warning: cannot copy '/nix/store/00000000000000000000000000000000-a' from 'https://cache.example.org': cannot fetch 'https://cache.example.org/nar/1.nar': the connection was closed; trying 'https://other.example.org'" +
      'looking up 1 path',
  );
});

test('a substituter that fails as the last one is left to the end', () => {
  const { screen, clock, transfers } = follow();
  transfers.fail(transfers.start('a', MIB));
  clock.pass(100);
  assert.equal(screen.text, 'starting');
});

test('where only failures are wanted nothing is drawn', () => {
  const { screen, clock, reporter, transfers } = follow('warn');
  const view = transfers.start('a', MIB);
  transfers.finish(view);
  transfers.register(view);
  clock.pass(1000);
  reporter.summarise();
  reporter.say('error', 'error: it failed');
  assert.equal(screen.text, 'error: it failed\n');
});

test('where more is wanted every path has its lines', () => {
  const { screen, clock, transfers } = follow('talkative');
  const view = transfers.start('a', 4 * MIB);
  transfers.finish(view);
  transfers.register(view);
  clock.pass(100);
  assert.equal(
    screen.text,
    [
      "copying path '/nix/store/00000000000000000000000000000000-a' from 'https://cache.example.org'...",
      "unpacked '/nix/store/00000000000000000000000000000000-a': 4.0 MiB (2.0 MiB downloaded) in 0.50 s, after waiting 20 ms",
      'registered 1 path in 3 ms',
      '1/1 paths, 4.0/4.0 MiB unpacked, registering, 2.0/2.0 MiB downloaded',
    ].join('\n'),
  );
});

test('where nothing was copied there is no summary', () => {
  const { screen, clock, reporter } = follow();
  clock.pass(100);
  reporter.summarise();
  assert.equal(screen.text, '');
});

test('a check is shown while it goes on', () => {
  const screen = new Screen(100, 24);
  const clock = new FakeClock();
  using reporter = new BarReporter(screen, 'notice', clock);
  reporter.showCheck({ done: 1, expected: 2, narBytes: MIB });
  clock.pass(100);
  assert.equal(screen.text, 'checked 1/2 paths, 1.0 MiB read, 0 B/s');
  reporter[Symbol.dispose]();
  assert.equal(screen.text, '');
});
