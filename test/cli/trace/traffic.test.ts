import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CounterEvent, TraceEvent } from '../../../src/cli/trace/trace-event.ts';
import { Traffic } from '../../../src/cli/trace/traffic.ts';

const MIB = 2 ** 20;

function count(): { readonly traffic: Traffic; readonly values: () => unknown[] } {
  const events: TraceEvent[] = [];
  const traffic = new Traffic({ pid: 1, tid: 1, put: (event) => void events.push(event) });
  return { traffic, values: () => (events as CounterEvent[]).map(({ ts, args }) => [ts, args]) };
}

test('transfers that wait and that run are counted', () => {
  const { traffic, values } = count();
  traffic.change(1, { queued: 1 });
  traffic.change(2, { queued: -1, running: 1 });
  traffic.change(3, { running: -1 });
  assert.deepEqual(values(), [
    [1, { queued: 1, running: 0 }],
    [2, { queued: 0, running: 1 }],
    [3, { queued: 0, running: 0 }],
  ]);
});

test('a rate counts from the beginning of the time that it is of', () => {
  const { traffic, values } = count();
  traffic.add(100_000, { downloadedBytes: MIB, narBytes: 2 * MIB });
  traffic.add(300_000, { downloadedBytes: MIB, narBytes: 0 });
  assert.deepEqual(values(), [
    [0, { downloaded: 10, unpacked: 20 }],
    [100_000, { downloaded: 5, unpacked: 0 }],
  ]);
});

test('rates are told ten times a second at most, and come down in the end', () => {
  const { traffic, values } = count();
  for (let now = 0; now < 250_000; now += 1_000) traffic.add(now, { downloadedBytes: MIB / 100, narBytes: 0 });
  traffic.end(260_000);
  assert.deepEqual(
    values().map((value) => (value as [number])[0]),
    [0, 100_000, 200_000, 260_000],
  );
  assert.deepEqual(values().at(-1), [260_000, { downloaded: 0, unpacked: 0 }]);
});
