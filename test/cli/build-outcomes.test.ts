import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildOutcomesToJson, validOutputs, withPath } from '../../src/cli/build-outcomes.ts';
import { BuildError, NoSubstitutersError } from '../../src/errors.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import type { BuildOutcome } from '../../src/scheduler/build-outcome.ts';
import { pathNamed } from '../support/transfers.ts';

const shown = (name: string): string => printStorePath(DEFAULT_STORE_DIR, pathNamed(name));
const built = { kind: 'built', path: pathNamed('a.drv'), outputs: 'all' } as const;
const opaque = { kind: 'opaque', path: pathNamed('a') } as const;

const BUILT: BuildOutcome = {
  request: built,
  state: 'succeeded',
  status: 'built',
  how: 'built',
  outputs: new Map([['out', pathNamed('a')]]),
  times: { startTime: 1, stopTime: 3 },
};
const SUBSTITUTED: BuildOutcome = {
  request: opaque,
  state: 'succeeded',
  status: 'substituted',
  how: 'substituted',
};
const FAILED: BuildOutcome = {
  request: built,
  state: 'failed',
  status: 'permanentFailure',
  failure: new BuildError('no luck', { failure: { status: 'permanentFailure', logTail: ['why'] }, hint: 'try again' }),
};
const NOT_BEGUN: BuildOutcome = {
  request: built,
  state: 'failed',
  status: 'dependencyFailed',
  failure: new BuildError('lacks b', {
    failure: { status: 'dependencyFailed', dependency: shown('b.drv') },
    cause: new BuildError('no luck', { failure: { status: 'permanentFailure', logTail: ['why'] } }),
  }),
};
const NOT_HAD: BuildOutcome = {
  request: opaque,
  state: 'noSubstituters',
  status: 'noSubstituters',
  failure: new NoSubstitutersError('nobody has it'),
};
const CANCELLED: BuildOutcome = { request: built, state: 'cancelled', status: undefined };

const JSONS = [
  [
    'what was built',
    BUILT,
    {
      drvPath: shown('a.drv'),
      state: 'succeeded',
      status: 'built',
      how: 'built',
      outputs: { out: shown('a') },
      startTime: 1,
      stopTime: 3,
    },
  ],
  [
    'a path that was fetched',
    SUBSTITUTED,
    { path: shown('a'), state: 'succeeded', status: 'substituted', how: 'substituted' },
  ],
  [
    'a build that failed',
    FAILED,
    {
      drvPath: shown('a.drv'),
      state: 'failed',
      status: 'permanentFailure',
      error: {
        code: 'ERR_BUILD',
        message: 'no luck',
        hint: 'try again',
        build: { status: 'permanentFailure', logTail: ['why'] },
      },
    },
  ],
  [
    'a build that was never begun: what failed, and how',
    NOT_BEGUN,
    {
      drvPath: shown('a.drv'),
      state: 'failed',
      status: 'dependencyFailed',
      error: {
        code: 'ERR_BUILD',
        message: 'lacks b',
        build: { status: 'dependencyFailed', dependency: shown('b.drv') },
        cause: { code: 'ERR_BUILD', message: 'no luck', build: { status: 'permanentFailure', logTail: ['why'] } },
      },
    },
  ],
  [
    'a path that could not be had',
    NOT_HAD,
    {
      path: shown('a'),
      state: 'noSubstituters',
      status: 'noSubstituters',
      error: { code: 'ERR_NO_SUBSTITUTERS', message: 'nobody has it' },
    },
  ],
  ['what was given up', CANCELLED, { drvPath: shown('a.drv'), state: 'cancelled' }],
] as const;

for (const [what, outcome, json] of JSONS) {
  test(`${what} as JSON`, () => {
    assert.deepEqual(JSON.parse(JSON.stringify(buildOutcomesToJson([outcome], DEFAULT_STORE_DIR))), [json]);
  });
}

test('outputs are valid where the request succeeded; a path is its own output', () => {
  assert.deepEqual(
    [BUILT, SUBSTITUTED, FAILED, CANCELLED].map((outcome) => Object.fromEntries(validOutputs(outcome))),
    [{ out: pathNamed('a') }, { out: pathNamed('a') }, {}, {}],
  );
});

test('a request for outputs ends as its derivation', () => assert.equal(withPath(FAILED).path, pathNamed('a.drv')));
