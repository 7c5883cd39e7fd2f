/** Reads a trace as viewers do, and checks that they can: what they drop or misplace in silence is an error here. */
import assert from 'node:assert/strict';
import type { AsyncEvent, CompleteEvent, TraceEvent } from '../../src/cli/trace/trace-event.ts';

/** Reads the text of a trace file, and checks it. */
export function readTrace(text: string): TraceEvent[] {
  const events = JSON.parse(text) as TraceEvent[];
  checkTrace(events);
  return events;
}

/** Checks that everything begins and ends, nests, and has a name. */
export function checkTrace(events: readonly TraceEvent[]): void {
  checkNumbers(events);
  checkNames(events);
  for (const group of groupBy(events.filter(isAsync), ({ cat, id2 }) => `${cat} ${id2.local}`)) checkAsync(group);
  for (const group of groupBy(events.filter(isComplete), ({ tid }) => tid)) checkLane(group);
  checkArrows(events);
}

/** The events that are drawn, in the order of time: those of one moment stay as they were written, as in viewers. */
export function inOrder<E extends { readonly ts: number }>(events: readonly E[]): E[] {
  return events.toSorted((a, b) => a.ts - b.ts);
}

/** What became of one goal, in order: `b transfer`, `e transfer`, and so on. */
export function storyOf(events: readonly TraceEvent[], name: string): string[] {
  const own = events.filter(isAsync).find((event) => event.name === name)?.id2.local;
  return inOrder(events.filter(isAsync).filter(({ id2 }) => id2.local === own)).map(({ ph, name }) => `${ph} ${name}`);
}

export function isAsync(event: TraceEvent): event is AsyncEvent {
  return event.ph === 'b' || event.ph === 'e' || event.ph === 'n';
}

export function isComplete(event: TraceEvent): event is CompleteEvent {
  return event.ph === 'X';
}

function checkNumbers(events: readonly TraceEvent[]): void {
  const isTime = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  for (const event of events) {
    if ('ts' in event) assert.ok(isTime(event.ts), JSON.stringify(event));
    if (event.ph === 'X') assert.ok(isTime(event.dur), JSON.stringify(event));
    if (event.ph !== 'C') continue;
    for (const value of Object.values(event.args!)) assert.ok(Number(value) >= 0, JSON.stringify(event));
  }
}

/** A group has a name before it is used, and so has a lane of slices. */
function checkNames(events: readonly TraceEvent[]): void {
  const names = { process_name: new Map<number, unknown>(), thread_name: new Map<number, unknown>() };
  const groups = new Map<number, number>();
  for (const event of events) {
    const { pid, tid, args } = event;
    if (event.name === 'process_name') names.process_name.set(pid, args?.name);
    if (event.name === 'thread_name') names.thread_name.set(tid, args?.name);
    assert.ok(names.process_name.has(pid), `group ${pid} has a name`);
    if (isComplete(event)) assert.ok(names.thread_name.has(tid), `lane ${tid} has a name`);
    assert.equal(groups.get(tid) ?? pid, pid, `lane ${tid} is in one group`);
    groups.set(tid, pid);
  }
  assert.equal(new Set(names.process_name.values()).size, names.process_name.size, 'groups have names of their own');
}

/** What begins ends, the inner before the outer, and is written in the order of time. */
function checkAsync(events: readonly AsyncEvent[]): void {
  assert.deepEqual(inOrder(events), events, 'of one goal, events are written in order');
  const open: string[] = [];
  for (const { ph, name } of events) {
    if (open.length === 0) assert.deepEqual([ph, name], ['b', 'goal'], 'the outermost slice gives the group its name');
    if (ph === 'b') open.push(name);
    if (ph === 'e') assert.equal(name, open.pop(), 'what ends is what began last');
  }
  assert.deepEqual(open, [], 'everything has ended');
}

/** Slices lie apart, or one in the other. */
function checkLane(events: readonly CompleteEvent[]): void {
  const open: number[] = [];
  for (const event of inOrder(events)) {
    while (open.length > 0 && open.at(-1)! <= event.ts) open.pop();
    const end = event.ts + event.dur;
    assert.ok(end <= (open.at(-1) ?? end), `${JSON.stringify(event)} reaches beyond the slice that it begins in`);
    open.push(end);
  }
}

/** An arrow comes from what was there before. */
function checkArrows(events: readonly TraceEvent[]): void {
  const from = new Map<string, number>();
  for (const event of events) {
    if (!('bind_id' in event)) continue;
    if (event.flow_out) from.set(event.bind_id!, event.ts);
    if (event.flow_in) assert.ok(from.get(event.bind_id!)! <= event.ts, JSON.stringify(event));
  }
}

function groupBy<E, K>(items: readonly E[], key: (item: E) => K): E[][] {
  return [...Map.groupBy(items, key).values()];
}
