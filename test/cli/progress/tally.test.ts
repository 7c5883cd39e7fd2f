import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tally } from '../../../src/cli/progress/tally.ts';
import { Transfers } from '../../support/transfers.ts';

function follow(): { tally: Tally; transfers: Transfers } {
  const tally = new Tally(() => 0);
  const transfers = new Transfers();
  tally.follow(transfers.events);
  return { tally, transfers };
}

test('what is expected adds up before it starts', () => {
  const { tally, transfers } = follow();
  transfers.expect('a', 100, 40);
  transfers.expect('b', 200, 60);
  assert.deepEqual(tally.totals, { paths: 2, narBytes: 300, downloadBytes: 100 });
  assert.equal(tally.running.size, 0);
});

test('the sum of downloads is unknown where one of them is', () => {
  const { tally, transfers } = follow();
  transfers.expect('a', 100, 40);
  const view = transfers.view('b', 200, undefined);
  transfers.events.emit('transferExpected', view);
  assert.equal(tally.totals.downloadBytes, undefined);
  transfers.fail(view);
  assert.equal(tally.totals.downloadBytes, 40);
});

test('what is expected twice counts once', () => {
  const { tally, transfers } = follow();
  transfers.expect('a', 100, 40);
  transfers.expect('a', 200, 50);
  assert.deepEqual(tally.totals, { paths: 1, narBytes: 200, downloadBytes: 50 });
});

test('bytes of running and of finished transfers add up', () => {
  const { tally, transfers } = follow();
  const a = transfers.start('a', 100, 40);
  const b = transfers.start('b', 200, 60);
  transfers.progress(a, 50);
  transfers.progress(b, 10);
  assert.deepEqual([tally.narBytes, tally.downloadedBytes], [60, 30]);
  transfers.finish(a);
  assert.deepEqual([tally.narBytes, tally.downloadedBytes], [110, 45]);
  assert.deepEqual([tally.unpacked, tally.registered], [1, 0]);
  transfers.register(a);
  assert.equal(tally.registered, 1);
});

test('a transfer that fails does not count any more', () => {
  const { tally, transfers } = follow();
  transfers.fail(transfers.start('a', 100));
  assert.deepEqual([tally.totals.paths, tally.running.size, tally.undecided], [0, 0, 0]);
});

test('a transfer that is tried elsewhere counts once', () => {
  const { tally, transfers } = follow();
  const view = transfers.start('a', 100, 40);
  transfers.fail(view, 'https://other.example.org');
  assert.equal(tally.undecided, 1, 'until the other substituter has answered');
  transfers.events.emit('transferExpected', { ...view, downloadSize: 90 });
  assert.deepEqual(tally.totals, { paths: 1, narBytes: 100, downloadBytes: 90 });
  assert.equal(tally.undecided, 0);
});

test('a path that was unpacked in vain, as a reference failed, does not count any more', () => {
  const { tally, transfers } = follow();
  const view = transfers.start('a', 100);
  transfers.finish(view);
  transfers.events.emit('goalFinished', { path: view.path, result: { state: 'cancelled' } });
  assert.deepEqual([tally.totals.paths, tally.unpacked], [0, 0]);
});

test('a goal is undecided until its transfer is expected or it ends', () => {
  const { tally, transfers } = follow();
  const [a, b] = [transfers.view('a', 1, 1), transfers.view('b', 1, 1)];
  transfers.events.emit('goalStarted', { path: a.path });
  transfers.events.emit('goalStarted', { path: b.path });
  assert.equal(tally.undecided, 2);
  transfers.events.emit('transferExpected', a);
  transfers.events.emit('goalFinished', { path: b.path, result: { state: 'succeeded', how: 'alreadyValid' } });
  assert.equal(tally.undecided, 0);
});
