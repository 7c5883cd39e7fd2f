import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayDetails, sayLockWaits } from '../../../src/cli/progress/messages.ts';
import type { Level } from '../../../src/cli/progress/reporter.ts';
import { TransferError } from '../../../src/errors.ts';
import type { LockView } from '../../../src/goals/events.ts';
import { MIB, pathNamed, ROUTE, Transfers } from '../../support/transfers.ts';

const [A, B] = ['https://a', 'https://b'] as const;
const error = new TransferError('connect ECONNREFUSED 127.0.0.1:1', { transient: true });

function follow(sources?: number) {
  const said: [Level, string][] = [];
  const transfers = new Transfers(A);
  const route = { ...ROUTE, ...(sources !== undefined && { sources }) };
  sayDetails(transfers.events, route, (level, text) => void said.push([level, text]));
  return { said, transfers };
}

test('of two hundred paths that fail in the same way, the first is told and the others are details', () => {
  const { said, transfers } = follow(2);
  for (let path = 0; path < 200; path++) transfers.fail(transfers.start(`p${path}`, MIB), B, error);
  const [first, ...others] = said;
  assert.deepEqual(first, [
    'warn',
    `warning: cannot copy '/nix/store/${'0'.repeat(32)}-p0' from '${A}': ${error.message}; trying '${B}'`,
  ]);
  assert.equal(others.length, 199);
  assert.ok(others.every(([level]) => level === 'talkative'));
});

test('another reason is told as well', () => {
  const { said, transfers } = follow(2);
  transfers.fail(transfers.start('p', MIB), B, error);
  transfers.fail(transfers.start('q', MIB), B, new TransferError('other side closed'));
  assert.deepEqual(
    said.map(([level]) => level),
    ['warn', 'warn'],
  );
});

test('the end of a path is left to those who tell of it, and spends no first telling', () => {
  const { said, transfers } = follow(2);
  transfers.fail(transfers.start('p', MIB), undefined, error);
  transfers.fail(transfers.start('q', MIB), B, error);
  assert.deepEqual(
    said.map(([level]) => level),
    ['talkative', 'warn'],
  );
});

const ASIDE = [
  [3, 2000, `'${A}' is set aside for 2.0 s: ${error.message}; the other caches serve meanwhile`],
  [2, 45, `'${A}' is set aside for 45 ms: ${error.message}; the other cache serves meanwhile`],
  [1, 2000, `'${A}' keeps failing: ${error.message}; there is no other, so it is tried again`],
  [undefined, 2000, `'${A}' keeps failing: ${error.message}; there is no other, so it is tried again`],
  [3, Number.POSITIVE_INFINITY, `'${A}' is not used: ${error.message}`],
] as const;

for (const [sources, milliseconds, text] of ASIDE) {
  test(`of ${sources ?? 'unknown'} caches, one that is set aside for ${milliseconds} ms is told`, () => {
    const { said, transfers } = follow(sources);
    transfers.events.emit('substituterSetAside', { substituter: A, error, milliseconds });
    assert.deepEqual(said, [['warn', `warning: ${text}`]]);
  });
}

test('a cache that is set aside is told each time, with few words where the reason is known', () => {
  const { said, transfers } = follow(2);
  transfers.fail(transfers.start('p', MIB), B, error);
  for (const milliseconds of [1000, 2000]) {
    transfers.events.emit('substituterSetAside', { substituter: A, error, milliseconds });
  }
  const words = (duration: string): string =>
    `warning: '${A}' is set aside for ${duration}: failed transfer; the other cache serves meanwhile`;
  assert.deepEqual(said.slice(1), [
    ['warn', words('1.0 s')],
    ['warn', words('2.0 s')],
  ]);
});

test('a failure that names path and cache is told in its own words', () => {
  const { said, transfers } = follow(2);
  const view = transfers.start('p', MIB);
  const gone = new TransferError(`the NAR of '/nix/store/${view.path}' is gone from '${A}'`);
  transfers.fail(view, B, gone);
  assert.deepEqual(said, [['warn', `warning: ${gone.message}; trying '${B}'`]]);
});

test('a question that is asked again is told once', () => {
  const { said, transfers } = follow(1);
  const { path } = transfers.view('p', 1, 1);
  for (let time = 0; time < 3; time++) transfers.events.emit('queryRetried', { path, substituter: A, error });
  const text = `warning: '${A}': ${error.message}; trying again`;
  assert.deepEqual(said, [
    ['warn', text],
    ['talkative', text],
    ['talkative', text],
  ]);
});

test('a cache that is back is told where more is wanted', () => {
  const { said, transfers } = follow(2);
  transfers.events.emit('substituterBack', { substituter: A });
  assert.deepEqual(said, [['info', `'${A}' answers again`]]);
});

test('of many waits for locks at the same time the first is told, and the next when none is left', () => {
  const { events } = new Transfers(A);
  const said: [Level, string][] = [];
  sayLockWaits(events, ROUTE, (level, text) => void said.push([level, text]));
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ subject: pathNamed(name), path: pathNamed(name) })) as [
    LockView,
    LockView,
    LockView,
  ];
  for (const view of [a, b]) events.emit('lockWaitStarted', view);
  for (const view of [a, b]) events.emit('lockWaitEnded', view);
  events.emit('lockWaitStarted', c);
  const text = (name: string): string =>
    `waiting for the lock of '/nix/store/${'0'.repeat(32)}-${name}' (held by another process)`;
  assert.deepEqual(said, [
    ['notice', text('a')],
    ['talkative', text('b')],
    ['notice', text('c')],
  ]);
});
