import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventEmitter } from 'eventemitter3';
import type { SchedulerEvents } from '../../src/goals/events.ts';
import { LockWait } from '../../src/goals/lock-wait.ts';
import { NAMED } from '../support/substituters.ts';

const [goal, a, b] = [NAMED('goal'), NAMED('a'), NAMED('b')];

function follow() {
  const events = new EventEmitter<SchedulerEvents>();
  const told: string[] = [];
  const name = (path: string): string => path.slice(33);
  events.on('lockWaitStarted', ({ subject, path }) => told.push(`${name(subject)} waits for ${name(path)}`));
  events.on('lockWaitEnded', ({ subject, path }) => told.push(`${name(subject)} waited for ${name(path)}`));
  return { told, wait: new LockWait(goal, { events }) };
}

test('a wait is told after a second, once, and its end', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { told, wait } = follow();
  wait.begin(a);
  t.mock.timers.tick(999);
  wait.begin(a); // looked at once more, and taken still
  assert.deepEqual(told, []);
  t.mock.timers.tick(1);
  wait.begin(a);
  t.mock.timers.tick(5_000);
  assert.deepEqual(told, ['goal waits for a']);
  wait[Symbol.dispose]();
  wait[Symbol.dispose]();
  assert.deepEqual(told, ['goal waits for a', 'goal waited for a']);
});

test('of a short wait nothing is told, nor of its end', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { told, wait } = follow();
  wait.begin(a);
  t.mock.timers.tick(999);
  wait.end();
  t.mock.timers.tick(5_000);
  assert.deepEqual(told, []);
});

test('another lock is another wait', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { told, wait } = follow();
  wait.begin(a);
  t.mock.timers.tick(1_000);
  wait.begin(b);
  t.mock.timers.tick(1_000);
  wait.end();
  assert.deepEqual(told, ['goal waits for a', 'goal waited for a', 'goal waits for b', 'goal waited for b']);
});
