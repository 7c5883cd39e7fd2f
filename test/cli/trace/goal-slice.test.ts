import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GoalSlice } from '../../../src/cli/trace/goal-slice.ts';
import type { AsyncEvent, TraceEvent } from '../../../src/cli/trace/trace-event.ts';

function draw(id = 1): { readonly slice: GoalSlice; readonly events: TraceEvent[]; readonly shown: () => unknown[] } {
  const events: TraceEvent[] = [];
  const args = { path: '/nix/store/…-hello' };
  const put = (event: TraceEvent): void => void events.push(event);
  const slice = new GoalSlice({ id, pid: 1, tid: 2, name: 'hello', args, put }, 10);
  const shown = (): unknown[] => events.map((event) => [event.ph, event.name, (event as AsyncEvent).ts]);
  return { slice, events, shown };
}

test('a goal is a slice, in it its package, and in that its phases, one after the other', () => {
  const { slice, shown } = draw();
  slice.begin('queue', 20);
  slice.begin('transfer', 30);
  slice.endPhase(40);
  slice.end(50);
  assert.deepEqual(shown(), [
    ['b', 'goal', 10],
    ['b', 'hello', 10],
    ['b', 'queue', 20],
    ['e', 'queue', 30],
    ['b', 'transfer', 30],
    ['e', 'transfer', 40],
    ['e', 'hello', 50],
    ['e', 'goal', 50],
  ]);
});

test('the end of a goal ends its phase', () => {
  const { slice, shown } = draw();
  slice.begin('register', 20);
  assert.equal(slice.phase, 'register');
  slice.end(30);
  assert.equal(slice.phase, undefined);
  assert.deepEqual(shown().slice(3), [
    ['e', 'register', 30],
    ['e', 'hello', 30],
    ['e', 'goal', 30],
  ]);
});

test('a phase that would begin before the one before it has ended begins right after it', () => {
  const { slice, shown } = draw();
  slice.begin('query', 5);
  slice.endPhase(20);
  slice.begin('query', 15);
  slice.endPhase(25);
  assert.deepEqual(shown().slice(2), [
    ['b', 'query', 10],
    ['e', 'query', 20],
    ['b', 'query', 20],
    ['e', 'query', 25],
  ]);
});

test('events of one goal have one id, which the arrow from its transfer has, too', () => {
  const { slice, events } = draw(26);
  slice.begin('transfer', 20);
  slice.mark('substituter failed', 21, { error: 'x' });
  slice.end(30);
  assert.equal(slice.id, '0x1a');
  assert.deepEqual([...new Set(events.map((event) => (event as AsyncEvent).id2.local))], ['0x1a']);
  const arrows = (events as AsyncEvent[]).filter((event) => 'bind_id' in event);
  assert.deepEqual(
    arrows.map(({ ph, name, bind_id, flow_out }) => [ph, name, bind_id, flow_out]),
    [['b', 'transfer', '0x1a', true]],
  );
});
