import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CacheTallies, type CacheTally, failuresOf } from '../../../src/cli/progress/cache-tallies.ts';
import { TimedOutError } from '../../../src/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { Transfers } from '../../support/transfers.ts';

const URI = 'https://cache.example.org';

function follow() {
  const clock = new FakeClock();
  const caches = new CacheTallies(() => clock.now());
  const transfers = new Transfers(URI);
  caches.follow(transfers.events);
  const tally = (uri = URI): CacheTally => caches.byUri.get(uri)!;
  return { clock, caches, transfers, tally };
}

const error = new TimedOutError('no byte for 5 s');

test('a path counts for the cache that delivered it, once it is valid', () => {
  const { transfers, tally } = follow();
  const [a, b] = [transfers.start('a', 100, 40), transfers.start('b', 200, 60)];
  transfers.finish(a, { retries: 2 });
  transfers.finish(b);
  assert.deepEqual([tally().paths, tally().retries], [0, 2]);
  transfers.register(a);
  assert.deepEqual([tally().paths, tally().downloadedBytes], [1, 40]);
  transfers.register(b);
  assert.deepEqual([tally().paths, tally().downloadedBytes], [2, 100]);
});

test('a path that failed in one cache and came from another counts for both', () => {
  const { transfers, tally } = follow();
  const other = 'https://other.example.org';
  const view = transfers.start('a', 100, 40);
  transfers.fail(view, other);
  transfers.finish({ ...view, substituter: other });
  transfers.register(view);
  assert.deepEqual([tally().paths, failuresOf(tally())], [0, 1]);
  assert.deepEqual([tally(other).paths, failuresOf(tally(other))], [1, 0]);
  assert.deepEqual([...tally().failures], [['failed transfer', 1]]);
});

test('questions that are asked again count with the requests of transfers', () => {
  const { transfers, tally } = follow();
  const view = transfers.start('a', 100, 40);
  transfers.events.emit('queryRetried', { path: view.path, substituter: URI, error });
  transfers.finish(view, { retries: 2 });
  assert.equal(tally().retries, 3);
});

test('the time for which a cache is set aside adds up, and goes on', () => {
  const { clock, caches, transfers, tally } = follow();
  const setAside = (): void =>
    void transfers.events.emit('substituterSetAside', { substituter: URI, error, milliseconds: 500 });
  setAside();
  clock.pass(500);
  setAside(); // the one who tried it failed
  clock.pass(700);
  transfers.events.emit('substituterBack', { substituter: URI });
  clock.pass(5000);
  assert.deepEqual([tally().timesAside, caches.asideFor(tally())], [2, 1200]);
  setAside();
  clock.pass(100);
  assert.deepEqual([tally().timesAside, caches.asideFor(tally())], [3, 1300]);
});
