import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import type { BuildResult } from '../../../src/formats/build-result.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../../src/formats/store-path.ts';
import { WireWriter } from '../../../src/formats/wire/write.ts';
import {
  readWorkerBuildResult,
  readWorkerDerivedPath,
  writeWorkerBuildResult,
  writeWorkerDerivedPath,
} from '../../../src/formats/worker-protocol/builds.ts';
import type { WorkerVersion } from '../../../src/formats/worker-protocol/version.ts';
import { readsAs, type Token, wire } from '../../support/wire.ts';

const P = '/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q';
const drvPath = parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv');
const version = (minor: number, ...features: readonly string[]): WorkerVersion => ({
  minor,
  features: new Set(features),
});

function written(write: (to: WireWriter) => void): Buffer {
  const writer = new WireWriter();
  write(writer);
  return writer.finish();
}

/** NixOS/nix 2.35, src/libstore-tests/data/worker-protocol/derived-path-1.29 and -1.30. */
describe('what is to be built', () => {
  for (const [minor, text] of [
    [29, `${P}-bar.drv`],
    [30, `${P}-bar.drv!*`],
  ] as const) {
    test(`is spelled ${text} in version 1.${minor}`, () => {
      const derived = { kind: 'built', path: drvPath, outputs: 'all' } as const;
      const write = (to: WireWriter): void => writeWorkerDerivedPath(to, DEFAULT_STORE_DIR, derived, version(minor));
      assert.deepEqual(written(write), wire(text));
      readsAs(() => readWorkerDerivedPath(DEFAULT_STORE_DIR, version(minor)), wire(text), derived);
    });
  }

  test('cannot be a derivation itself before 1.30', () => {
    const derived = { kind: 'opaque', path: drvPath } as const;
    assert.throws(
      () => written((to) => writeWorkerDerivedPath(to, DEFAULT_STORE_DIR, derived, version(29))),
      FormatError,
    );
  });
});

const RESULT: BuildResult = {
  status: 'timedOut',
  message: 'too slow',
  timesBuilt: 0,
  isNonDeterministic: false,
  startTime: 0,
  stopTime: 0,
  cpuUser: undefined,
  cpuSystem: undefined,
  builtOutputs: new Map(),
};

/** Which fields a version has: NixOS/nix 2.35 libstore/worker-protocol.cc, Serialise<BuildResult>. */
const RESULTS: readonly (readonly [WorkerVersion, readonly Token[]])[] = [
  [version(27), [8, 'too slow']],
  [version(28), [8, 'too slow', 0]],
  [version(29), [8, 'too slow', 0, 0, 0, 0, 0]],
  [version(34), [8, 'too slow', 0, 0, 0, 0, 0]],
  [version(37), [8, 'too slow', 0, 0, 0, 0, 0, 0, 0]],
  [version(38, 'realisation-with-path-not-hash'), [8, 'too slow', 0, 0, 0, 0, 0, 0, 0]],
];

for (const [at, tokens] of RESULTS) {
  test(`a build result has ${tokens.length} fields in version 1.${at.minor}`, () => {
    readsAs(() => readWorkerBuildResult(DEFAULT_STORE_DIR, at), wire(...tokens), RESULT);
    assert.deepEqual(
      written((to) => writeWorkerBuildResult(to, DEFAULT_STORE_DIR, RESULT, at)),
      wire(...tokens),
    );
  });
}
