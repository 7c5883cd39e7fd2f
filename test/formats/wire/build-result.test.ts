import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import type { BuildResult } from '../../../src/formats/build-result.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../../src/formats/store-path.ts';
import { type BuildResultShape, readBuildResult, writeBuildResult } from '../../../src/formats/wire/build-result.ts';
import { WireWriter } from '../../../src/formats/wire/write.ts';
import { feed, readsAs, type Token, wire } from '../../support/wire.ts';

const HASH = 'g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q';
const ID = 'sha256:6f869f9ea2823bda165e06076fd0de4366dead2c0e8d2dbbad277d4f15c373f5';
const realisation = (name: string, signatures: readonly string[] = []) => ({
  outPath: parseBaseName(`${HASH}-${name}`),
  signatures,
});
const json = (name: string): readonly Token[] => [
  `${ID}!${name}`,
  `{"dependentRealisations":{},"id":"${ID}!${name}","outPath":"${HASH}-${name}","signatures":[]}`,
];
const OUTPUTS = new Map([
  ['bar', realisation('bar')],
  ['foo', realisation('foo')],
]);

function result(fields: Partial<BuildResult>): BuildResult {
  return {
    status: 'built',
    message: '',
    timesBuilt: 0,
    isNonDeterministic: false,
    startTime: 0,
    stopTime: 0,
    cpuUser: undefined,
    cpuSystem: undefined,
    builtOutputs: new Map(),
    ...fields,
  };
}

/**
 * The tokens of NixOS/nix 2.35, src/libstore-tests/data: worker-protocol/build-result-1.27 (`none`), 1.28, 1.29, 1.37,
 * and with feature realisation-with-path-not-hash; serve-protocol/build-result-2.8.
 */
const SHAPES: readonly (readonly [string, BuildResultShape, readonly Token[], BuildResult])[] = [
  [
    'without times',
    { times: false, cpu: false, outputs: 'none' },
    [5, 'no idea why'],
    result({ status: 'outputRejected', message: 'no idea why' }),
  ],
  [
    'with outputs as JSON',
    { times: false, cpu: false, outputs: 'json' },
    [0, '', 2, ...json('bar'), ...json('foo')],
    result({ builtOutputs: OUTPUTS }),
  ],
  [
    'with times',
    { times: true, cpu: false, outputs: 'json' },
    [12, 'no idea why', 3, 1, 30, 50, 0],
    result({
      status: 'notDeterministic',
      message: 'no idea why',
      timesBuilt: 3,
      isNonDeterministic: true,
      startTime: 30,
      stopTime: 50,
    }),
  ],
  [
    'with the time of processors',
    { times: true, cpu: true, outputs: 'json' },
    [0, '', 1, 0, 30, 50, 1, 500000000, 1, 604000000, 2, ...json('bar'), ...json('foo')],
    result({
      timesBuilt: 1,
      startTime: 30,
      stopTime: 50,
      cpuUser: 500000000,
      cpuSystem: 604000000,
      builtOutputs: OUTPUTS,
    }),
  ],
  [
    'with outputs as paths',
    { times: true, cpu: false, outputs: 'paths' },
    [0, '', 1, 0, 30, 50, 2, 'bar', `/nix/store/${HASH}-bar`, 0, 'foo', `/nix/store/${HASH}-foo`, 1, 'a:AA=='],
    result({
      timesBuilt: 1,
      startTime: 30,
      stopTime: 50,
      builtOutputs: new Map([
        ['bar', realisation('bar')],
        ['foo', realisation('foo', ['a:AA=='])],
      ]),
    }),
  ],
];

describe('a build result is read', () => {
  for (const [what, shape, tokens, expected] of SHAPES) {
    test(what, () => readsAs(() => readBuildResult(DEFAULT_STORE_DIR, shape), wire(...tokens), expected));

    test(`${what}, as it was written`, () => {
      const writer = new WireWriter();
      writeBuildResult(writer, DEFAULT_STORE_DIR, expected, shape);
      readsAs(() => readBuildResult(DEFAULT_STORE_DIR, shape), writer.finish(), expected);
    });
  }
});

const JSON_OUTPUTS = { times: false, cpu: false, outputs: 'json' } as const;
const REJECTED: readonly (readonly [why: string, tokens: readonly Token[]])[] = [
  ['a status that is not known', [15, '']],
  ['an output without a derivation', [0, '', 1, 'out', '{}']],
  ['an output that is no JSON', [0, '', 1, 'a!out', 'x']],
  ['an output that is no object', [0, '', 1, 'a!out', '3']],
  ['an output without a path', [0, '', 1, 'a!out', '{}']],
  ['an output whose path is none', [0, '', 1, 'a!out', '{"outPath":"../x"}']],
  ['an output whose signatures are no list', [0, '', 1, 'a!out', `{"outPath":"${HASH}-x","signatures":1}`]],
  ['more outputs than a derivation has', [0, '', 65_537]],
];

for (const [why, tokens] of REJECTED) {
  test(`a build result may not have ${why}`, () => {
    assert.throws(() => feed(readBuildResult(DEFAULT_STORE_DIR, JSON_OUTPUTS), wire(...tokens)), FormatError);
  });
}
