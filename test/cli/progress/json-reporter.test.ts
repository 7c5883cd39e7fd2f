/** The shape is that of `nix-store --log-format internal-json -r` and of `nix copy`, Nix 2.8, but for `parent`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonReporter } from '../../../src/cli/progress/json-reporter.ts';
import type { Level } from '../../../src/cli/progress/reporter.ts';
import { Builds } from '../../support/builds.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { pathNamed, ROUTE, Transfers } from '../../support/transfers.ts';

interface Message {
  readonly action: 'start' | 'stop' | 'result' | 'msg';
  readonly id?: number;
  readonly type?: number;
  readonly [key: string]: unknown;
}

interface Recorded {
  readonly transfers: Transfers;
  readonly reporter: JsonReporter;
  readonly messages: Message[];
}

function follow({ transfers = new Transfers(), route = ROUTE, level = 'info' as Level } = {}): Recorded {
  const messages: Message[] = [];
  const write = (text: string): void => {
    assert.match(text, /^@nix \{.*\}\n$/, 'one line a message');
    messages.push(JSON.parse(text.slice(5)) as Message);
  };
  const reporter = new JsonReporter(write, level, new FakeClock(), 7);
  reporter.follow(transfers.events, route);
  return { transfers, reporter, messages };
}

const FIRST_ID = 7 * 2 ** 32;
const PATH = '/nix/store/00000000000000000000000000000000-a';
const CACHE = 'https://cache.example.org';

test('all begins with the activities Realise and CopyPaths', () => {
  assert.deepEqual(follow().messages, [
    { action: 'start', id: FIRST_ID, level: 0, parent: 0, text: '', type: 102 },
    { action: 'start', id: FIRST_ID + 1, level: 0, parent: FIRST_ID, text: '', type: 103 },
  ]);
});

test('a transfer is the activities Substitute, CopyPath and FileTransfer, one in the other', () => {
  const { transfers, messages } = follow();
  transfers.start('a', 352, 195);
  assert.deepEqual(messages.filter(({ action }) => action === 'start').slice(2), [
    { action: 'start', fields: [PATH, CACHE], id: FIRST_ID + 2, level: 0, parent: FIRST_ID, text: '', type: 108 },
    {
      action: 'start',
      fields: [PATH, CACHE, 'local'],
      id: FIRST_ID + 3,
      level: 3,
      parent: FIRST_ID + 2,
      text: `copying path '${PATH}' from '${CACHE}'`,
      type: 100,
    },
    {
      action: 'start',
      fields: [CACHE],
      id: FIRST_ID + 4,
      level: 4,
      parent: FIRST_ID + 3,
      text: `downloading '${PATH}' from '${CACHE}'`,
      type: 101,
    },
  ]);
});

test('what is expected is told to Realise, by the type of activity', () => {
  const { transfers, messages } = follow();
  transfers.expect('a', 352, 195);
  transfers.expect('b', 1000, 5);
  assert.deepEqual(
    messages.filter(({ type }) => type === 106),
    [
      { action: 'result', fields: [101, 195], id: FIRST_ID, type: 106 },
      { action: 'result', fields: [100, 352], id: FIRST_ID, type: 106 },
      { action: 'result', fields: [101, 200], id: FIRST_ID, type: 106 },
      { action: 'result', fields: [100, 1352], id: FIRST_ID, type: 106 },
    ],
  );
});

test('progress is told to CopyPath in bytes of the NAR, to FileTransfer in bytes of the download', () => {
  const { transfers, messages } = follow();
  const view = transfers.start('a', 352, 195);
  messages.length = 0;
  transfers.progress(view, 100);
  assert.deepEqual(messages, [
    { action: 'result', fields: [100, 352, 0, 0], id: FIRST_ID + 3, type: 105 },
    { action: 'result', fields: [50, 195, 0, 0], id: FIRST_ID + 4, type: 105 },
  ]);
});

test('progress is told to CopyPaths in paths: done, expected, running, failed', () => {
  const { transfers, messages } = follow();
  const [a, b] = [transfers.start('a', 1), transfers.start('b', 1)];
  transfers.finish(a);
  transfers.fail(b);
  transfers.register(a);
  const counts = messages
    .filter(({ id, action }) => id === FIRST_ID + 1 && action === 'result')
    .map(({ fields }) => fields);
  assert.deepEqual(counts, [
    [0, 1, 0, 0],
    [0, 1, 1, 0],
    [0, 2, 1, 0],
    [0, 2, 2, 0],
    [0, 2, 1, 0],
    [0, 1, 0, 1],
    [1, 1, 0, 1],
  ]);
});

test('every activity that starts is stopped once, the inner ones first', () => {
  const { transfers, reporter, messages } = follow();
  transfers.finish(transfers.start('a', 1));
  transfers.fail(transfers.start('b', 1));
  transfers.start('c', 1); // and never ends
  reporter[Symbol.dispose]();
  reporter[Symbol.dispose]();
  const stopped = messages.filter(({ action }) => action === 'stop').map(({ id }) => id! - FIRST_ID);
  assert.deepEqual(stopped, [4, 3, 2, 7, 6, 5, 10, 9, 8, 1, 0]);
});

test('a local store is called local, and nothing is downloaded from it', () => {
  const transfers = new Transfers('local?root=/tmp/x');
  const { messages } = follow({ transfers, route: { ...ROUTE, to: 'https://cache.example.org' } });
  transfers.start('a', 1);
  const starts = messages.filter(({ action, type }) => action === 'start' && type! < 102);
  assert.deepEqual(
    starts.map(({ type, fields }) => [type, fields]),
    [[100, [PATH, 'local', CACHE]]],
  );
});

test('messages have the numbers of their levels', () => {
  const { reporter, messages } = follow({ level: 'warn' });
  messages.length = 0;
  reporter.say('error', 'error: x');
  reporter.say('warn', 'warning: "y"');
  reporter.say('notice', 'not wanted');
  assert.deepEqual(messages, [
    { action: 'msg', level: 0, msg: 'error: x' },
    { action: 'msg', level: 1, msg: 'warning: "y"' },
  ]);
});

test('a check is the activity VerifyPaths', () => {
  const { reporter, messages } = follow();
  messages.length = 0;
  reporter.showCheck({ done: 1, expected: 51, narBytes: 7 });
  reporter.showCheck({ done: 2, expected: 51, narBytes: 8 });
  assert.deepEqual(messages, [
    { action: 'start', id: FIRST_ID + 2, level: 3, parent: 0, text: 'checking store paths', type: 107 },
    { action: 'result', fields: [1, 51, 0, 0], id: FIRST_ID + 2, type: 105 },
    { action: 'result', fields: [2, 51, 0, 0], id: FIRST_ID + 2, type: 105 },
  ]);
});

test('a build is the activity Build among Builds, with its phases and lines', () => {
  const { transfers, messages } = follow();
  const builds = new Builds(transfers.events);
  const view = builds.start('a', 'ssh-ng://far');
  builds.phase(view, 'buildPhase');
  builds.log(view, 'one', 'two');
  builds.finish(view);
  const drv = '/nix/store/00000000000000000000000000000000-a.drv';
  const [all, one] = [FIRST_ID + 2, FIRST_ID + 3];
  const progress = (...fields: readonly number[]): Message => ({ action: 'result', fields, id: all, type: 105 });
  assert.deepEqual(messages.slice(2), [
    { action: 'start', id: all, level: 0, parent: FIRST_ID, text: '', type: 104 },
    progress(0, 1, 0, 0),
    {
      action: 'start',
      fields: [drv, 'ssh-ng://far', 1, 1],
      id: one,
      level: 3,
      parent: all,
      text: `building '${drv}' on 'ssh-ng://far'`,
      type: 105,
    },
    progress(0, 1, 1, 0),
    { action: 'result', fields: ['buildPhase'], id: one, type: 104 },
    { action: 'result', fields: ['one'], id: one, type: 101 },
    { action: 'result', fields: ['two'], id: one, type: 101 },
    { action: 'stop', id: one },
    progress(1, 1, 0, 0),
  ]);
});

test('a wait for a lock is the activity BuildWaiting, of the level of warnings, as Nix has it', () => {
  const { transfers, messages } = follow();
  const view = { subject: pathNamed('a'), path: pathNamed('a') };
  transfers.events.emit('lockWaitStarted', view);
  transfers.events.emit('lockWaitEnded', view);
  const id = FIRST_ID + 2;
  const text = `waiting for the lock of '${PATH}' (held by another process)`;
  assert.deepEqual(messages.slice(2), [
    { action: 'start', id, level: 1, parent: FIRST_ID, text, type: 111 },
    { action: 'stop', id },
  ]);
});
