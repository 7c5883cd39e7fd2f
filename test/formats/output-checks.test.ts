import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CheckedReference, OutputChecks } from '../../src/formats/derivation-options.ts';
import { type CheckedPath, findOutputProblems } from '../../src/formats/output-checks.ts';
import { DEFAULT_STORE_DIR, parseBaseName, printStorePath, type StorePath } from '../../src/formats/store-path.ts';

const path = (name: string): StorePath => parseBaseName(`${'0'.repeat(32)}-${name}`);
const full = (name: string): string => printStorePath(DEFAULT_STORE_DIR, path(name));
const [OUT, DEV, LIB, GLIBC, OTHER] = ['x', 'x-dev', 'lib', 'glibc', 'other'].map(path) as [
  StorePath,
  StorePath,
  StorePath,
  StorePath,
  StorePath,
];

/** `out` refers to itself, to `dev` and to lib; lib refers to glibc, and that to itself. */
const OUTPUTS = new Map([
  ['dev', { path: DEV, narSize: 10, references: [] }],
  ['out', { path: OUT, narSize: 100, references: [OUT, DEV, LIB] }],
]);
const STORE = new Map<StorePath, CheckedPath>([
  [LIB, { narSize: 1_000, references: [GLIBC] }],
  [GLIBC, { narSize: 10_000, references: [GLIBC] }],
]);

const paths = (...all: readonly StorePath[]): CheckedReference[] => all.map((each) => ({ path: each }));
const NOTHING: OutputChecks = { disallowedReferences: [], disallowedRequisites: [], ignoreSelfRefs: false };

async function problemsOf(checks: Partial<OutputChecks>): Promise<readonly string[]> {
  const perOutput = new Map([['out', { ...NOTHING, ...checks }]]);
  return await findOutputProblems(DEFAULT_STORE_DIR, { perOutput }, OUTPUTS, (asked) => {
    assert.deepEqual(asked, [LIB]);
    return STORE;
  });
}

const KEPT: readonly Partial<OutputChecks>[] = [
  {},
  { maxSize: 100, maxClosureSize: 11_110 },
  { allowedReferences: [...paths(LIB, OUT), { output: 'dev' }] },
  { allowedRequisites: [...paths(LIB, GLIBC), { output: 'dev' }, { output: 'out' }] },
  { allowedRequisites: [...paths(LIB, GLIBC), { output: 'dev' }], ignoreSelfRefs: true },
  { disallowedReferences: paths(GLIBC, OTHER), disallowedRequisites: paths(OTHER) },
  { disallowedRequisites: [{ output: 'out' }], ignoreSelfRefs: true },
];

const BROKEN: readonly (readonly [Partial<OutputChecks>, string])[] = [
  [{ maxSize: 99 }, `output '${full('x')}' is too large: 100 bytes, maxSize is 99`],
  [
    { maxClosureSize: 11_109 },
    `the closure of output '${full('x')}' is too large: 11110 bytes, maxClosureSize is 11109`,
  ],
  [
    { allowedReferences: [] },
    `output '${full('x')}' must not refer to these, by its allowedReferences:\n  ${full('lib')}\n  ${full('x')}\n  ${full('x-dev')}`,
  ],
  [
    { allowedReferences: [...paths(LIB), { output: 'dev' }], ignoreSelfRefs: true },
    `output '${full('x')}' must not refer to these, by its allowedReferences:\n  ${full('x')}`,
  ],
  [
    { allowedRequisites: [...paths(LIB), { output: 'dev' }], ignoreSelfRefs: true },
    `output '${full('x')}' must not depend on these, by its allowedRequisites:\n  ${full('glibc')}`,
  ],
  [
    { disallowedReferences: [{ output: 'dev' }] },
    `output '${full('x')}' must not refer to these, by its disallowedReferences:\n  ${full('x-dev')}`,
  ],
  [
    { disallowedRequisites: paths(GLIBC) },
    `output '${full('x')}' must not depend on these, by its disallowedRequisites:\n  ${full('glibc')}`,
  ],
  [
    { allowedReferences: [{ output: 'doc' }] },
    "allowedReferences of output 'out' has 'doc', which is neither a store path nor one of its outputs (dev, out)",
  ],
];

/** After Nix 2.35 tests/functional/check-refs.nix and check-reqs.nix. */
describe('output checks', () => {
  for (const checks of KEPT) {
    test(`accept ${JSON.stringify(checks)}`, async () => assert.deepEqual(await problemsOf(checks), []));
  }

  for (const [checks, problem] of BROKEN) {
    test(`say: ${problem.split('\n')[0]}`, async () => assert.deepEqual(await problemsOf(checks), [problem]));
  }

  test('say all that is wrong', async () => {
    assert.equal((await problemsOf({ maxSize: 1, maxClosureSize: 1, allowedReferences: [] })).length, 3);
  });

  test('hold for all outputs without structured attributes, and ask the store for nothing where no closure counts', async () => {
    const forAllOutputs = { ...NOTHING, maxSize: 5 };
    const problems = await findOutputProblems(DEFAULT_STORE_DIR, { forAllOutputs }, OUTPUTS, () =>
      assert.fail('asked'),
    );
    assert.equal(problems.length, 2);
  });
});
