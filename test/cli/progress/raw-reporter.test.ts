import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RawReporter } from '../../../src/cli/progress/raw-reporter.ts';
import type { Level, Reporter } from '../../../src/cli/progress/reporter.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MIB, ROUTE, Transfers } from '../../support/transfers.ts';

function copyOne(level: Level): string {
  let text = '';
  const clock = new FakeClock();
  const append = (more: string): void => {
    text += more;
  };
  const reporter: Reporter = new RawReporter(append, level, clock);
  const transfers = new Transfers();
  reporter.follow(transfers.events, ROUTE);
  const view = transfers.start('a', 4 * MIB);
  transfers.finish(view);
  transfers.register(view);
  clock.pass(2000);
  reporter.summarise();
  reporter.showCheck({ done: 1, expected: 2, narBytes: 3 });
  assert.equal(clock.timers, 0);
  reporter[Symbol.dispose]();
  return text;
}

/** The first line is that of `nix copy` 2.8. */
test('every path is a line as Nix prints it, and the end another', () => {
  assert.equal(
    copyOne('info'),
    `copying path '/nix/store/00000000000000000000000000000000-a' from 'https://cache.example.org'...
copied 1 path, 4.0 MiB (2.0 MiB downloaded), in 2.0 s: 0.5 paths/s, 2.0 MiB/s
`,
  );
});

test('less is said where less is wanted', () => {
  assert.equal(copyOne('notice').split('\n').length, 2);
  assert.equal(copyOne('warn'), '');
});

test('details are said where they are wanted', () => {
  assert.match(copyOne('talkative'), /^unpacked .* in 0\.50 s, after waiting 20 ms\nregistered 1 path in 3 ms$/m);
});
