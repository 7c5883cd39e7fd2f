import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trace } from '../../../src/cli/trace/trace.ts';
import type { AsyncEvent, TraceEvent } from '../../../src/cli/trace/trace-event.ts';
import type { Timings } from '../../../src/pool/messages.ts';
import { Builds } from '../../support/builds.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { checkTrace, isComplete, storyOf } from '../../support/read-trace.ts';
import { MIB, NAR_HASH, pathNamed, ROUTE, Transfers } from '../../support/transfers.ts';

/** When the clock starts, in milliseconds since the epoch. */
const EPOCH = 1_700_000_000_000;

interface Followed {
  readonly transfers: Transfers;
  readonly trace: Trace;
  readonly clock: FakeClock;
  /** What was put so far. */
  readonly events: readonly TraceEvent[];
  /** Ends the trace, checks it, and hands it out. */
  readonly end: () => readonly TraceEvent[];
}

function follow(): Followed {
  const events: TraceEvent[] = [];
  const clock = new FakeClock();
  const trace = new Trace(
    (event) => void events.push(event),
    () => EPOCH + clock.now(),
  );
  const transfers = new Transfers();
  trace.follow(transfers.events, ROUTE);
  const end = (): readonly TraceEvent[] => {
    trace[Symbol.dispose]();
    checkTrace(events);
    return events;
  };
  return { transfers, trace, clock, events, end };
}

const done = { retries: 0, narHash: NAR_HASH, voucher: { by: 'nothing' } } as const;
const timings: Timings = { thread: 3, started: EPOCH + 100, wait: 20, unpack: 500, decode: 200, hash: 100, write: 100 };

test('a goal that goes well queries, waits for a slot, is transferred, and waits for registration', () => {
  const { transfers, clock, end } = follow();
  const view = transfers.view('hello-2.12.1', MIB, MIB / 2);
  const { path, substituter } = view;
  transfers.events.emit('goalStarted', { path });
  clock.pass(50);
  transfers.events.emit('infoQueried', { path, substituter, milliseconds: 30, found: true });
  transfers.events.emit('transferExpected', view);
  clock.pass(40);
  transfers.events.emit('transferStarted', view);
  clock.pass(600);
  transfers.events.emit('transferFinished', { ...view, ...done, downloadedBytes: MIB / 2, timings });
  clock.pass(10);
  transfers.register(view);

  const events = end();
  assert.deepEqual(storyOf(events, 'hello-2.12.1'), [
    ...['b goal', 'b hello-2.12.1', 'b query', 'e query', 'b queue', 'e queue', 'b transfer', 'e transfer'],
    ...['b register', 'e register', 'e hello-2.12.1', 'e goal'],
  ]);
  const began = (name: string): AsyncEvent | undefined =>
    events.find((event): event is AsyncEvent => event.ph === 'b' && event.name === name);
  assert.deepEqual(
    ['query', 'queue', 'transfer', 'register'].map((name) => began(name)!.ts),
    [20_000, 50_000, 90_000, 690_000],
  );
  assert.deepEqual(began('query')!.args, { substituter, found: true });
  assert.deepEqual(began('transfer')!.args, { substituter, narSize: MIB, downloadSize: MIB / 2 });
  assert.deepEqual(began('hello-2.12.1')!.args, { path: `/nix/store/${path}` });
});

test('a transfer is drawn under its worker thread, and what was registered under the main thread', () => {
  const { transfers, clock, end } = follow();
  const view = transfers.start('hello', MIB, MIB / 2);
  clock.pass(700);
  transfers.events.emit('transferFinished', { ...view, ...done, downloadedBytes: 7, timings });
  transfers.register(view);
  const events = end();
  const headings = events.filter(({ name }) => name === 'process_name').map(({ pid, args }) => [pid, args!.name]);
  assert.deepEqual(headings, [
    [1, 'main thread'],
    [5, 'worker thread 3'],
  ]);
  const slices = events.filter(isComplete).map(({ name, pid, ts, dur }) => [name, pid, ts, dur]);
  assert.deepEqual(slices, [
    ['hello', 5, 100_000, 520_000],
    ['wait', 5, 100_000, 20_000],
    ['work', 5, 120_000, 500_000],
    ['decode', 5, 120_000, 200_000],
    ['hash', 5, 320_000, 100_000],
    ['write', 5, 420_000, 100_000],
    ['commit', 1, 697_000, 3_000],
  ]);
  const { path, substituter } = view;
  const args = { path: `/nix/store/${path}`, substituter, narSize: MIB, downloadedBytes: 7 };
  assert.deepEqual(events.find(isComplete)!.args, args);
});

test('transfers that overlap in one thread have lanes of their own', () => {
  const { transfers, clock, end } = follow();
  const views = ['a', 'b', 'c'].map((name) => transfers.start(name, MIB));
  clock.pass(1_000);
  for (const [index, view] of views.entries()) {
    const own = { ...timings, started: EPOCH + [0, 100, 600][index]! };
    transfers.events.emit('transferFinished', { ...view, ...done, downloadedBytes: MIB, timings: own });
  }
  const events = end();
  const lanes = ['a', 'b', 'c'].map((name) => events.filter(isComplete).find((event) => event.name === name)!.tid);
  assert.notEqual(lanes[0], lanes[1]);
  assert.equal(lanes[0], lanes[2], 'the third comes when the first is done');
  const names = events.filter(({ name, pid }) => name === 'thread_name' && pid === 5).map(({ args }) => args!.name);
  assert.deepEqual(names, ['transfer 1', 'transfer 2']);
});

test('a substituter that fails is marked, and the goal goes on with the next', () => {
  const { transfers, clock, end } = follow();
  const view = transfers.start('a', MIB);
  clock.pass(10);
  transfers.fail(view, 'https://next.example.org');
  transfers.events.emit('transferExpected', view);
  transfers.events.emit('transferStarted', view);
  transfers.finish(view);
  transfers.register(view);
  const events = end();
  const story = storyOf(events, 'a');
  assert.deepEqual(story.slice(4, 9), ['b transfer', 'e transfer', 'n substituter failed', 'b queue', 'e queue']);
  const mark = events.find(({ name }) => name === 'substituter failed');
  assert.match(String(mark?.args?.error), /the connection was closed/);
});

test('a goal that fails says why', () => {
  const { transfers, end } = follow();
  transfers.fail(transfers.start('a', MIB));
  const ended = end().filter(({ ph, name }) => ph === 'e' && name === 'a');
  assert.equal(ended[0]!.args!.state, 'failed');
  assert.match(String(ended[0]!.args!.error), /the connection was closed/);
});

test('transfers that are given up are counted where they were', () => {
  const { transfers, events, end } = follow();
  const [queued, running] = [transfers.expect('a', MIB), transfers.start('b', MIB)];
  const counts = (): unknown => events.findLast(({ ph, name }) => ph === 'C' && name === 'transfers')!.args;
  assert.deepEqual(counts(), { queued: 1, running: 1 });
  transfers.events.emit('transferFailed', { ...queued, error: undefined });
  assert.deepEqual(counts(), { queued: 0, running: 1 });
  transfers.events.emit('transferFailed', { ...running, error: undefined });
  assert.deepEqual(counts(), { queued: 0, running: 0 });
  end();
});

test('progress counts once, whatever the last of it was', () => {
  const { transfers, clock, events, end } = follow();
  const view = transfers.start('a', 10 * MIB, 5 * MIB);
  clock.pass(500);
  transfers.progress(view, 6 * MIB);
  clock.pass(500);
  transfers.finish(view);
  end();
  const rates = events.filter(({ ph, name }) => ph === 'C' && name === 'MiB/s').map(({ args }) => args);
  assert.deepEqual(rates.slice(0, 2), [
    { downloaded: 6, unpacked: 12 },
    { downloaded: 4, unpacked: 8 },
  ]);
});

test('what is open when the trace ends, ends with it, and nothing comes after', () => {
  const { transfers, trace, events, end } = follow();
  transfers.expect('a', MIB);
  const view = transfers.start('b', MIB);
  const { length } = end();
  transfers.finish(view);
  transfers.start('c', MIB);
  trace[Symbol.dispose]();
  assert.equal(events.length, length);
  const ends = events.filter(({ ph, args }) => ph === 'e' && args?.state === 'interrupted').map(({ name }) => name);
  assert.deepEqual(ends, ['a', 'b']);
});

test('a goal that starts again before it has ended is drawn anew', () => {
  const { transfers, end } = follow();
  transfers.expect('a', MIB);
  transfers.expect('a', MIB);
  transfers.events.emit('goalFinished', { path: pathNamed('a'), result: { state: 'cancelled' } });
  assert.equal(end().filter(({ ph, name }) => ph === 'b' && name === 'goal').length, 2);
});

test('events of goals that nobody has told of are no trouble', () => {
  const { transfers, end } = follow();
  const view = transfers.view('a', MIB, MIB);
  transfers.events.emit('infoQueried', { ...view, milliseconds: 1, found: false });
  transfers.events.emit('transferExpected', view);
  transfers.events.emit('transferStarted', view);
  transfers.progress(view, 1);
  transfers.finish(view);
  end();
});

test('a derivation waits, is built, and has a slice among the builds', () => {
  const { transfers, clock, end } = follow();
  const builds = new Builds(transfers.events);
  const view = builds.expect('hello-2.12');
  clock.pass(100);
  transfers.events.emit('buildStarted', { ...view, machine: undefined });
  builds.phase(view, 'buildPhase');
  clock.pass(1_000);
  builds.finish(view);
  const events = end();
  const story = ['b goal', 'b hello-2.12.drv', 'b queue', 'e queue', 'b build', 'n buildPhase', 'e build'];
  assert.deepEqual(storyOf(events, 'hello-2.12.drv').slice(0, story.length), story);
  const slice = events.filter(isComplete).find(({ name }) => name === 'hello-2.12');
  assert.deepEqual([slice?.ts, slice?.dur], [100_000, 1_000_000]);
});

test('a wait for the lock of another process is drawn as such', () => {
  const { transfers, clock, end } = follow();
  const view = new Builds(transfers.events).expect('hello-2.12');
  const path = pathNamed('out');
  transfers.events.emit('lockWaitStarted', { subject: view.drvPath, path });
  clock.pass(50);
  transfers.events.emit('lockWaitEnded', { subject: view.drvPath, path });
  assert.deepEqual(storyOf(end(), 'hello-2.12.drv').slice(2, 6), ['b queue', 'e queue', 'b lock', 'e lock']);
});
