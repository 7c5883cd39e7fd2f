import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventEmitter } from 'eventemitter3';
import { Failures } from '../../src/cli/failures.ts';
import {
  BuildError,
  IncompleteClosureError,
  NoSubstitutersError,
  type SluiceError,
  TransferError,
} from '../../src/errors.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import type { SchedulerEvents } from '../../src/goals/events.ts';
import type { RealiseResult } from '../../src/scheduler/scheduler.ts';
import { pathNamed } from '../support/transfers.ts';

const shown = (name: string): string => printStorePath(DEFAULT_STORE_DIR, pathNamed(name));

/** The failure of a path because of a path that it needs, as the substitution goal makes it. */
function needs(name: string, reference: string, cause: SluiceError): SluiceError {
  return new IncompleteClosureError(`path '${shown(name)}' needs '${shown(reference)}', which could not be had`, {
    cause,
  });
}

/** Describes requested paths; failures of others, from the root up, are told by events only. */
function describe(
  requested: Readonly<Record<string, SluiceError | 'cancelled' | 'succeeded'>>,
  others: Readonly<Record<string, SluiceError>> = {},
): string[] {
  const events = new EventEmitter<SchedulerEvents>();
  const failures = new Failures(DEFAULT_STORE_DIR, events);
  const results = Object.entries({ ...others, ...requested }).map(([name, end]): RealiseResult => {
    const path = pathNamed(name);
    if (end === 'cancelled') return { path, state: 'cancelled' };
    if (end === 'succeeded') return { path, state: 'succeeded', how: 'substituted' };
    return { path, state: 'failed', failure: end };
  });
  for (const { path, ...result } of results) events.emit('goalFinished', { path, result });
  const wanted = Object.keys(requested).map(pathNamed);
  return failures.describe(
    results.filter(({ path }) => wanted.includes(path)),
    { debug: false },
  );
}

test('where all went well nothing is told', () => assert.deepEqual(describe({ a: 'succeeded' }), []));

test('a failure of a requested path is told as it is', () => {
  const missing = new NoSubstitutersError(`no substituter has path '${shown('a')}'`, { hint: 'asked: x' });
  assert.deepEqual(describe({ a: missing }), [`error: no substituter has path '${shown('a')}'\nhint: asked: x`]);
});

test('a failure further down is told once, with the requested paths above it', () => {
  const root = new NoSubstitutersError(`no substituter has path '${shown('base')}'`);
  const lib = needs('lib', 'base', root);
  assert.deepEqual(describe({ app: needs('app', 'lib', lib), tool: needs('tool', 'lib', lib) }, { base: root, lib }), [
    `error: no substituter has path '${shown('base')}'\nneeded by '${shown('app')}', '${shown('tool')}'`,
  ]);
});

test('many paths above a failure are counted', () => {
  const root = new NoSubstitutersError(`no substituter has path '${shown('base')}'`);
  const requested = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, needs(name, 'base', root)]));
  assert.match(describe(requested, { base: root })[0]!, /-a', '.*-b', '.*-c' and 2 more of the requested paths$/);
});

test('a requested path that is the root is not needed by itself', () => {
  const root = new NoSubstitutersError(`no substituter has path '${shown('base')}'`);
  assert.deepEqual(describe({ base: root, app: needs('app', 'base', root) }), [
    `error: no substituter has path '${shown('base')}'\nneeded by '${shown('app')}'`,
  ]);
});

test('an error that does not name its path is told with it', () => {
  const root = new TransferError("cannot fetch 'https://x/nar/1.nar.xz': status 503", { status: 503 });
  assert.deepEqual(describe({ app: needs('app', 'base', root) }, { base: root }), [
    `error: cannot copy '${shown('base')}': cannot fetch 'https://x/nar/1.nar.xz': status 503\nneeded by '${shown('app')}'`,
  ]);
});

test('a requested path is not needed by itself, where its error does not name it', () => {
  const root = new TransferError("cannot fetch 'https://x/nar/1.nar.xz': status 503", { status: 503 });
  assert.deepEqual(describe({ base: root }), [
    `error: cannot copy '${shown('base')}': cannot fetch 'https://x/nar/1.nar.xz': status 503`,
  ]);
});

test('of many failures the first ten are told', () => {
  const requested = Object.fromEntries(
    Array.from({ length: 13 }, (_, index) => [`p${index}`, new NoSubstitutersError(`no '${shown(`p${index}`)}'`)]),
  );
  const texts = describe(requested);
  assert.equal(texts.length, 11);
  assert.equal(texts[10], 'error: 3 more paths failed, each for a reason of its own');
});

test('paths that were given up are counted, with what to do', () => {
  const missing = new NoSubstitutersError(`no substituter has path '${shown('a')}'`);
  assert.deepEqual(describe({ a: missing, b: 'cancelled', c: 'cancelled' }).slice(1), [
    'hint: 2 of 3 paths were given up because of that; --keep-going goes on with them',
  ]);
});

test('a build that failed is told once, with the end of its log, and not again for each that needs it', () => {
  const root = new BuildError(`builder for '${shown('gcc.drv')}' failed with exit code 1`, {
    hint: 'the whole log: sluice log',
    failure: {
      status: 'permanentFailure',
      logTail: ['cc1: \u001b[31merror\u001b[0m', 'make: stop'],
      keptBuildDir: '/tmp/x',
    },
  });
  const dependent = new BuildError(`'${shown('hello.drv')}' needs '${shown('gcc.drv')}', which failed`, {
    cause: root,
    failure: { status: 'dependencyFailed' },
  });
  assert.deepEqual(describe({ 'hello.drv': dependent, 'gcc.drv': root }), [
    [
      `error: builder for '${shown('gcc.drv')}' failed with exit code 1`,
      `needed by '${shown('hello.drv')}'`,
      'last 2 lines of its log:',
      '> cc1: error',
      '> make: stop',
      "note: keeping build directory '/tmp/x'",
      'hint: the whole log: sluice log',
    ].join('\n'),
  ]);
});

for (const [store, command] of [
  ['local', 'sluice log '],
  ['local?root=/x', "sluice log --store 'local?root=/x' "],
] as const) {
  test(`the end of a log says how to see all of it, in store ${store}`, () => {
    const events = new EventEmitter<SchedulerEvents>();
    const failures = new Failures(DEFAULT_STORE_DIR, events, store);
    const failure = new BuildError(`builder for '${shown('a.drv')}' failed with exit code 1`, {
      failure: { status: 'permanentFailure', logTail: ['boom'] },
    });
    const path = pathNamed('a.drv');
    events.emit('goalFinished', { path, result: { state: 'failed', failure } });
    const [text] = failures.describe([{ path, state: 'failed', failure }], { debug: false });
    assert.deepEqual(text?.split('\n').slice(1), [
      'last line of its log:',
      '> boom',
      `hint: the whole log: ${command}${shown('a.drv')}`,
    ]);
  });
}
