import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summaryOf } from '../../../src/cli/progress/summary.ts';
import { Tally } from '../../../src/cli/progress/tally.ts';
import { type SluiceError, TimedOutError, TransferError } from '../../../src/errors.ts';
import { Builds } from '../../support/builds.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MIB, pathNamed, Transfers } from '../../support/transfers.ts';

const [A, B] = ['https://a.example.org', 'https://cache-b.example.org'] as const;

function follow() {
  const clock = new FakeClock();
  const tally = new Tally(() => clock.now());
  const transfers = new Transfers(A);
  tally.follow(transfers.events);
  let count = 0;
  return {
    clock,
    transfers,
    copy(substituter: string, retries = 0): void {
      const view = { ...transfers.start(`p${count++}`, 4 * MIB), substituter };
      transfers.finish(view, { retries });
      transfers.register(view);
    },
    fail(error: SluiceError, times: number, next?: string): void {
      for (let time = 0; time < times; time++) transfers.fail(transfers.start(`f${count++}`, MIB), next, error);
    },
    get lines(): readonly string[] | undefined {
      return summaryOf(tally, clock.now())?.split('\n');
    },
  };
}

const unavailable = new TransferError("'https://a.example.org/x' answered with status 503", { status: 503 });

test('where one cache delivered all, and nothing was wrong, the sum says it', () => {
  const run = follow();
  run.copy(A);
  run.clock.pass(1000);
  assert.deepEqual(run.lines, ['copied 1 path, 4.0 MiB (2.0 MiB downloaded), in 1.0 s: 1.0 paths/s, 4.0 MiB/s']);
});

test('the sum says what was uploaded, and what was downloaded for it', () => {
  for (const [downloadedBytes, sizes] of [
    [0, '1.0 MiB uploaded'],
    [2 * MIB, '2.0 MiB downloaded, 1.0 MiB uploaded'],
  ] as const) {
    const run = follow();
    const view = run.transfers.start('p', 4 * MIB);
    run.transfers.finish(view, { downloadedBytes, uploadedBytes: MIB });
    run.transfers.register(view);
    run.clock.pass(1000);
    assert.ok(run.lines?.[0]?.startsWith(`copied 1 path, 4.0 MiB (${sizes}), in`), run.lines?.[0]);
  }
});

test('where several delivered each has its line', () => {
  const run = follow();
  for (let path = 0; path < 10; path++) run.copy(A);
  run.copy(B);
  assert.deepEqual(run.lines?.slice(1), [
    '  https://a.example.org        10 paths, 20.0 MiB downloaded',
    '  https://cache-b.example.org    1 path, 2.0 MiB downloaded',
  ]);
});

test('trouble is counted by kind, the most frequent first, in lines of 80 columns', () => {
  const run = follow();
  run.copy(B, 3);
  run.fail(new TimedOutError('no byte'), 3, B);
  run.fail(unavailable, 200, B);
  run.transfers.events.emit('substituterSetAside', { substituter: A, error: unavailable, milliseconds: 1000 });
  run.clock.pass(4500);
  assert.deepEqual(run.lines?.slice(1), [
    '  https://cache-b.example.org   1 path, 2.0 MiB downloaded',
    '    3 requests repeated',
    '  https://a.example.org        0 paths',
    '    203 failures (200 × status 503, 3 × timeout), set aside for 4.5 s',
  ]);
  run.transfers.events.emit('substituterSetAside', { substituter: A, error: unavailable, milliseconds: 1000 });
  assert.deepEqual(run.lines?.slice(4), [
    '    203 failures (200 × status 503, 3 × timeout),',
    '    set aside 2 times, for 4.5 s in all',
  ]);
  for (const line of run.lines ?? []) assert.ok(line.length <= 80, line);
});

test('a cache of no use at all is called so, and no time is counted', () => {
  const run = follow();
  const milliseconds = Number.POSITIVE_INFINITY;
  run.transfers.events.emit('substituterSetAside', { substituter: A, error: unavailable, milliseconds });
  run.copy(B);
  assert.deepEqual(run.lines?.slice(1), [
    '  https://cache-b.example.org   1 path, 2.0 MiB downloaded',
    '  https://a.example.org        0 paths',
    '    not used',
  ]);
});

test('a failure that ended the only path is told by that end', () => {
  const run = follow();
  run.fail(unavailable, 1);
  assert.equal(run.lines, undefined);
});

test('where all failed it is told how often', () => {
  const run = follow();
  run.fail(unavailable, 20);
  assert.deepEqual(run.lines, ['copied nothing', '  https://a.example.org  0 paths', '    20 failures (status 503)']);
});

test('a URI that is too long moves its own line only', () => {
  const run = follow();
  const long = `https://${'long.'.repeat(12)}example.org`;
  run.copy(long);
  run.copy(B);
  assert.deepEqual(run.lines?.slice(1), [
    `  ${long}  1 path, 2.0 MiB downloaded`,
    `  ${B.padEnd(44)}  1 path, 2.0 MiB downloaded`,
  ]);
});

test('what was built comes first, and is not counted as copied', () => {
  const run = follow();
  const builds = new Builds(run.transfers.events);
  builds.finish(builds.start('a'));
  run.transfers.events.emit('pathsRegistered', { paths: [pathNamed('a')], milliseconds: 1 });
  run.clock.pass(1000);
  assert.deepEqual(run.lines, ['built 1 derivation, in 1.0 s']);
  builds.fail(builds.start('b'));
  builds.failDependency(builds.expect('c'));
  run.copy(A);
  run.clock.pass(1000);
  assert.deepEqual(run.lines, [
    'built 1 derivation, 1 failed, 1 not begun, in 2.0 s',
    'copied 1 path, 4.0 MiB (2.0 MiB downloaded), in 2.0 s: 0.5 paths/s, 2.0 MiB/s',
  ]);
});
