import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildResult } from '../../../src/formats/build-result.ts';
import {
  readServeBuildResult,
  writeServeBuildOptions,
  writeServeBuildResult,
} from '../../../src/formats/serve-protocol/builds.ts';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import { WireWriter } from '../../../src/formats/wire/write.ts';
import { readsAs, type Token, wire } from '../../support/wire.ts';

const OPTIONS = { maxSilentTime: 5, timeout: 6, maxLogSize: 7, keepFailed: true };

/** NixOS/nix 2.35, src/libstore-tests/data/serve-protocol/build-options-2.1 to -2.7; repetitions are not asked for. */
for (const [minor, tokens] of [
  [1, [5, 6]],
  [2, [5, 6, 7]],
  [3, [5, 6, 7, 0, 0]],
  [7, [5, 6, 7, 0, 0, 1]],
] as const) {
  test(`how to build takes ${tokens.length} numbers in version 2.${minor}`, () => {
    const writer = new WireWriter();
    writeServeBuildOptions(writer, OPTIONS, minor);
    assert.deepEqual(writer.finish(), wire(...tokens));
  });
}

const RESULT: BuildResult = {
  status: 'permanentFailure',
  message: 'no idea why',
  timesBuilt: 0,
  isNonDeterministic: false,
  startTime: 0,
  stopTime: 0,
  cpuUser: undefined,
  cpuSystem: undefined,
  builtOutputs: new Map(),
};

/** Which fields a version has: NixOS/nix 2.35 libstore/serve-protocol.cc, Serialise<BuildResult>. */
const RESULTS: readonly (readonly [minor: number, readonly Token[]])[] = [
  [2, [3, 'no idea why']],
  [3, [3, 'no idea why', 0, 0, 0, 0]],
  [6, [3, 'no idea why', 0, 0, 0, 0, 0]],
  [8, [3, 'no idea why', 0, 0, 0, 0, 0]],
];

for (const [minor, tokens] of RESULTS) {
  test(`a build result has ${tokens.length} fields in version 2.${minor}`, () => {
    readsAs(() => readServeBuildResult(DEFAULT_STORE_DIR, minor), wire(...tokens), RESULT);
    const writer = new WireWriter();
    writeServeBuildResult(writer, DEFAULT_STORE_DIR, RESULT, minor);
    assert.deepEqual(writer.finish(), wire(...tokens));
  });
}
