import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFrame, progressFrame } from '../../../src/cli/progress/frame.ts';
import { Tally } from '../../../src/cli/progress/tally.ts';
import { Builds } from '../../support/builds.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MIB, pathNamed, Transfers } from '../../support/transfers.ts';

function follow(clock = new FakeClock()): { tally: Tally; transfers: Transfers } {
  const tally = new Tally(() => clock.now());
  const transfers = new Transfers();
  tally.follow(transfers.events);
  return { tally, transfers };
}

/** Two transfers under way for a second, one done, one to come. */
function busy(): Tally {
  const clock = new FakeClock();
  const { tally, transfers } = follow(clock);
  const [big, small, done] = [
    transfers.start('a-big-one-1.0', 40 * MIB),
    transfers.start('small', 2 * MIB),
    transfers.start('done', 10 * MIB),
  ];
  transfers.expect('later', 48 * MIB);
  transfers.progress(big, 5 * MIB);
  transfers.progress(small, MIB / 2);
  clock.pass(1000);
  transfers.progress(big, 10 * MIB);
  transfers.progress(small, MIB);
  transfers.finish(done);
  return tally;
}

test('a frame shows what runs, oldest first, and what all comes to', () => {
  assert.deepEqual(progressFrame(busy(), { columns: 120, rows: 24, narRate: 10 * MIB, now: 0 }), [
    '  a-big-one-1.0  10.0/40.0 MiB  5.0 MiB/s  [====            ]',
    '  small            1.0/2.0 MiB  512 KiB/s  [========        ]',
    '1/4 paths, 21.0/100 MiB unpacked, 10.0 MiB/s, 8 s left, 10.5/50.0 MiB downloaded',
  ]);
});

test('the time left is that of the slowest transfer, where it takes longer than all at their rate', () => {
  const clock = new FakeClock();
  const { tally, transfers } = follow(clock);
  const slow = transfers.start('slow', 10 * MIB);
  clock.pass(60_000); // for the first byte
  transfers.progress(slow, MIB / 2);
  clock.pass(1000);
  transfers.progress(slow, MIB);
  const [, summary] = progressFrame(tally, { columns: 120, rows: 24, narRate: 100 * MIB, now: 0 });
  assert.match(summary!, /, 18 s left,/);
});

test('a frame shows how much of an upload has gone out', () => {
  const { tally, transfers } = follow();
  const view = transfers.start('a-big-one-1.0', 40 * MIB, undefined);
  transfers.events.emit('transferProgress', {
    ...view,
    narBytes: 40 * MIB,
    downloadedBytes: 0,
    uploadedBytes: 3 * MIB,
  });
  const frame = progressFrame(tally, { columns: 120, rows: 24, narRate: 0, now: 0 });
  assert.match(frame[0]!, /^ {2}a-big-one-1\.0 {2}3\.0 MiB uploaded /);
  assert.match(frame[1]!, /, 3\.0 MiB uploaded$/);
});

for (const columns of [1, 2, 10, 20, 30, 40, 50, 60, 70, 80, 200]) {
  test(`no line of a frame reaches the last of ${columns} columns`, () => {
    const lines = progressFrame(busy(), { columns, rows: 24, narRate: MIB, now: 0 });
    for (const line of lines) assert.ok(line.length <= Math.max(1, columns - 1), line);
    assert.ok(lines.at(-1)!.length > 0);
  });
}

test('what builders print in wide letters takes no more columns than there are', () => {
  const tally = new Tally(() => 0);
  const builds = new Builds();
  tally.follow(builds.events);
  builds.log(builds.start('a'), '日本語の長い行'.repeat(20));
  const frame = progressFrame(tally, { columns: 30, rows: 24, narRate: 0, now: 0 });
  assert.deepEqual(frame, ['  a  0 s  > 日本語の長い行日…', '0/1 built']);
});

test('a narrow terminal gets names and sizes, and no rates', () => {
  assert.deepEqual(progressFrame(busy(), { columns: 50, rows: 24, narRate: MIB, now: 0 }), [
    '  a-big-one-1.0  10.0/40.0 MiB',
    '  small            1.0/2.0 MiB',
    '1/4 paths, 21.0/100 MiB unpacked, 1.0 MiB/s',
  ]);
});

test('a long name is cut where sizes would not fit beside it', () => {
  const { tally, transfers } = follow();
  transfers.start(`${'long-'.repeat(20)}1`, 2 * MIB);
  const [line] = progressFrame(tally, { columns: 80, rows: 24, narRate: 0, now: 0 });
  assert.equal(line, '  long-long-long-long-long-long-long-long-lon…  0/2.0 MiB    [                ]');
});

test('what has no room is counted, oldest kept', () => {
  const { tally, transfers } = follow();
  for (let index = 0; index < 30; index++) transfers.start(`p${index}`, MIB);
  const tall = progressFrame(tally, { columns: 80, rows: 50, narRate: 0, now: 0 });
  assert.equal(tall.length, 11);
  assert.match(tall[0]!, /^ {2}p0 /);
  assert.equal(tall[9], '  … and 21 more');
  const flat = progressFrame(tally, { columns: 80, rows: 6, narRate: 0, now: 0 });
  assert.deepEqual(flat.slice(1, 3), [flat[1], '  … and 28 more']);
  assert.equal(progressFrame(tally, { columns: 80, rows: 3, narRate: 0, now: 0 }).length, 1);
});

test('before anything is expected a frame says what is looked up', () => {
  const { tally, transfers } = follow();
  const options = { columns: 80, rows: 24, narRate: 0, now: 0 };
  assert.deepEqual(progressFrame(tally, options), ['starting']);
  transfers.events.emit('goalStarted', { path: transfers.view('a', 1, 1).path });
  assert.deepEqual(progressFrame(tally, options), ['looking up 1 path']);
});

test('when all is unpacked a frame says that it is being registered', () => {
  const { tally, transfers } = follow();
  transfers.finish(transfers.start('a', 2 * MIB));
  const [line] = progressFrame(tally, { columns: 80, rows: 24, narRate: 0, now: 0 });
  assert.equal(line, '1/1 paths, 2.0/2.0 MiB unpacked, registering, 1.0/1.0 MiB downloaded');
});

test('where nothing is compressed there is one size', () => {
  const { tally, transfers } = follow();
  transfers.expect('a', 2 * MIB, 2 * MIB);
  const [line] = progressFrame(tally, { columns: 80, rows: 24, narRate: 0, now: 0 });
  assert.equal(line, '0/1 paths, 0/2.0 MiB');
});

test('a check is one line', () => {
  const options = { columns: 80, rows: 24, narRate: 2 * MIB, now: 0 };
  assert.deepEqual(checkFrame({ done: 3, expected: 51, narBytes: 0 }, options), ['checked 3/51 paths']);
  assert.deepEqual(checkFrame({ done: 3, expected: 51, narBytes: 5 * MIB }, options), [
    'checked 3/51 paths, 5.0 MiB read, 2.0 MiB/s',
  ]);
});

test('builds and transfers are shown together, and what both come to', () => {
  const { tally, transfers } = follow();
  const builds = new Builds(transfers.events);
  builds.expect('later');
  builds.log(builds.start('hello'), 'gcc');
  builds.finish(builds.start('done'));
  transfers.progress(transfers.start('glibc', 4 * MIB), MIB);
  assert.deepEqual(progressFrame(tally, { columns: 120, rows: 24, narRate: 0, now: 3_000 }), [
    '  hello  3 s  > gcc',
    '  glibc  1.0/4.0 MiB    [====            ]',
    '1/3 built, 0/1 paths, 1.0/4.0 MiB unpacked, 0.5/2.0 MiB downloaded',
  ]);
});

test('where not all fit, some builds and some transfers are seen', () => {
  const { tally, transfers } = follow();
  const builds = new Builds(transfers.events);
  for (let number = 0; number < 9; number++) builds.start(`build-${number}`);
  for (let number = 0; number < 9; number++) transfers.start(`path-${number}`, MIB);
  const lines = progressFrame(tally, { columns: 120, rows: 24, narRate: 0, now: 0 });
  assert.equal(lines.filter((line) => line.includes('build-')).length, 5);
  assert.equal(lines.filter((line) => line.includes('path-')).length, 4);
  assert.equal(lines.at(-2), '  … and 9 more');
});

test('builds alone need no word of transfers, but for what is still looked up', () => {
  const { tally, transfers } = follow();
  const builds = new Builds(transfers.events);
  builds.fail(builds.start('a'));
  transfers.events.emit('goalStarted', { path: pathNamed('b') });
  assert.deepEqual(progressFrame(tally, { columns: 120, rows: 24, narRate: 0, now: 0 }), [
    '0/1 built, 1 failed, looking up 1 more',
  ]);
});
