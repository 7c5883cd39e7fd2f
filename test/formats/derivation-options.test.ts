import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../src/errors.ts';
import { type Derivation, parseDerivation } from '../../src/formats/derivation.ts';
import {
  type CheckedReference,
  type DerivationOptions,
  type OutputChecks,
  parseDerivationOptions,
} from '../../src/formats/derivation-options.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../src/formats/store-path.ts';
import { needsVectors, readJsonVector, readVector } from '../support/vectors.ts';

/** Of the 2.35 test vectors: a derivation, and the options that Nix reads from it. */
const VECTORS = [
  ['advanced-attributes', 'all_set'],
  ['advanced-attributes-defaults', 'defaults'],
  ['advanced-attributes-structured-attrs', 'structuredAttrs_all_set'],
  ['advanced-attributes-structured-attrs-defaults', 'structuredAttrs_defaults'],
] as const;
/** Of macOS alone. */
const LEFT_OUT = ['additionalSandboxProfile', 'allowLocalNetworking'];

const H = '00000000000000000000000000000000';
const A = `/nix/store/${H}-a`;

function optionsOf(env: Readonly<Record<string, string>>): DerivationOptions {
  const derivation: Derivation = {
    name: 'x',
    outputs: new Map(),
    inputDrvs: new Map(),
    inputSrcs: [],
    system: '',
    builder: '',
    args: [],
    env: new Map(Object.entries(env)),
  };
  return parseDerivationOptions(DEFAULT_STORE_DIR, derivation);
}

const json = (attributes: unknown): Readonly<Record<string, string>> => ({ __json: JSON.stringify(attributes) });

const REJECTED = [
  [json({ allowSubstitutes: '1' }), /'allowSubstitutes': wanted true or false, got a string/],
  [json({ preferLocalBuild: null }), /'preferLocalBuild': wanted true or false, got null/],
  [json({ requiredSystemFeatures: 'kvm' }), /'requiredSystemFeatures': wanted a list of strings, got a string/],
  [json({ impureEnvVars: ['A', 1] }), /an element of 'impureEnvVars': wanted a string, got a number/],
  [json({ __impureHostDeps: {} }), /'__impureHostDeps': wanted a list of strings, got an object/],
  [json({ outputChecks: [] }), /'outputChecks': wanted an object, got a list/],
  [json({ outputChecks: { out: 1 } }), /'outputChecks.out': wanted an object, got a number/],
  [json({ outputChecks: { out: { maxSize: -1 } } }), /'outputChecks.out.maxSize': wanted a whole number/],
  [json({ outputChecks: { out: { maxSize: 1.5 } } }), /'outputChecks.out.maxSize': wanted a whole number/],
  [json({ outputChecks: { out: { maxClosureSize: '1' } } }), /'outputChecks.out.maxClosureSize': wanted a whole/],
  [json({ outputChecks: { out: { allowedReferences: A } } }), /'outputChecks.out.allowedReferences': wanted a list/],
  [json({ unsafeDiscardReferences: true }), /'unsafeDiscardReferences': wanted an object, got a boolean/],
  [json({ unsafeDiscardReferences: { out: 1 } }), /'unsafeDiscardReferences.out': wanted true or false/],
  [json({ exportReferencesGraph: { a: [1] } }), /an element of 'exportReferencesGraph.a': wanted a string/],
  [json({ exportReferencesGraph: { a: 'b' } }), /'b' is not in the store directory/],
  [{ __json: '[]' }, /wanted an object, got a list/],
  [{ __json: '{"a":' }, /at byte 5: /],
  [{ exportReferencesGraph: 'a' }, /pairs of a name and a path, got 1 words/],
  [{ exportReferencesGraph: `a/b ${A}` }, /'a\/b' cannot be the name of a file/],
  [{ exportReferencesGraph: 'a b' }, /'b' is not in the store directory/],
] as const;

describe('the options of a derivation', () => {
  for (const [name, wanted] of VECTORS) {
    test(`are those that Nix reads: ${name}`, needsVectors, async () => {
      const text = await readVector(`derivation/ia/${name}.drv`);
      const options = parseDerivationOptions(
        DEFAULT_STORE_DIR,
        parseDerivation(DEFAULT_STORE_DIR, name, Buffer.from(text)),
      );
      const vector = (await readJsonVector(`derivation/ia/derivation-options/${wanted}.json`)) as object;
      const kept = Object.fromEntries(Object.entries(vector).filter(([key]) => !LEFT_OUT.includes(key)));
      assert.deepEqual(inNixJson(options), kept);
      assert.equal(options.structuredAttrs !== undefined, wanted.startsWith('structured'));
    });
  }

  test('are words with any white space between them, each once, in variables', () => {
    assert.deepEqual(optionsOf({ requiredSystemFeatures: ' kvm\tbig\n\r kvm ' }).requiredSystemFeatures, [
      'big',
      'kvm',
    ]);
    assert.deepEqual(optionsOf({ passAsFile: 'b a', allowSubstitutes: 'true' }).passAsFile, ['a', 'b']);
  });

  test('are on only where a variable says 1', () => {
    assert.equal(optionsOf({ allowSubstitutes: '' }).allowSubstitutes, false);
    assert.equal(optionsOf({ preferLocalBuild: 'true' }).preferLocalBuild, false);
    assert.equal(optionsOf({ __noChroot: '1' }).noChroot, true);
  });

  test('are read from structured attributes alone where there are any', () => {
    const options = optionsOf({ preferLocalBuild: '1', passAsFile: 'a', allowedReferences: '', ...json({}) });
    assert.equal(options.preferLocalBuild, false);
    assert.deepEqual(options.passAsFile, []);
    assert.deepEqual(options.outputChecks, { perOutput: new Map() });
  });

  test('tell an empty list from none', () => {
    assert.deepEqual(optionsOf({ allowedReferences: '' }).outputChecks.forAllOutputs?.allowedReferences, []);
    assert.equal(optionsOf({}).outputChecks.forAllOutputs?.allowedReferences, undefined);
  });

  test('name what an output may refer to by path or by output', () => {
    const references = optionsOf({ disallowedReferences: `dev ${A}` }).outputChecks.forAllOutputs?.disallowedReferences;
    assert.deepEqual(references, [{ path: parseBaseName(`${H}-a`) }, { output: 'dev' }]);
  });

  test('export the store paths that files are in, however deep the list', () => {
    const nested = `${'['.repeat(100_000)}"${A}/bin"${']'.repeat(100_000)}`;
    const { exportReferencesGraph } = optionsOf({ __json: `{"exportReferencesGraph":{"a":${nested}}}` });
    assert.deepEqual(exportReferencesGraph, new Map([['a', [parseBaseName(`${H}-a`)]]]));
  });

  test('take names that objects have anyway', () => {
    const options = optionsOf({
      __json: '{"__proto__":{"preferLocalBuild":true},"unsafeDiscardReferences":{"__proto__":true}}',
    });
    assert.equal(options.preferLocalBuild, false);
    assert.deepEqual(options.unsafeDiscardReferences, new Map([['__proto__', true]]));
  });

  for (const [env, problem] of REJECTED) {
    test(`are refused: ${problem.source}`, () => {
      assert.throws(
        () => optionsOf(env),
        (error) => error instanceof FormatError && assert.match(error.message, problem) === undefined,
      );
    });
  }

  test('survive structured clone', () => {
    const options = optionsOf({ exportReferencesGraph: `a ${A}`, disallowedReferences: `dev ${A}` });
    assert.deepEqual(structuredClone(options), options);
  });
});

/** As the vectors have it: sets of references with outputs first. */
function inNixJson({ structuredAttrs, outputChecks, ...options }: DerivationOptions): unknown {
  const references = (of: readonly CheckedReference[] | undefined): unknown =>
    of === undefined
      ? null
      : [
          ...of.flatMap(({ output }) => (output === undefined ? [] : [{ drvPath: 'self', output }])),
          ...of.flatMap(({ path }) => path ?? []),
        ];
  const checks = (of: OutputChecks): unknown => ({
    allowedReferences: references(of.allowedReferences),
    allowedRequisites: references(of.allowedRequisites),
    disallowedReferences: references(of.disallowedReferences),
    disallowedRequisites: references(of.disallowedRequisites),
    ignoreSelfRefs: of.ignoreSelfRefs,
    maxClosureSize: of.maxClosureSize ?? null,
    maxSize: of.maxSize ?? null,
  });
  return {
    ...options,
    exportReferencesGraph: Object.fromEntries(options.exportReferencesGraph),
    unsafeDiscardReferences: Object.fromEntries(options.unsafeDiscardReferences),
    outputChecks:
      outputChecks.forAllOutputs === undefined
        ? { perOutput: Object.fromEntries(Array.from(outputChecks.perOutput, ([name, of]) => [name, checks(of)])) }
        : { forAllOutputs: checks(outputChecks.forAllOutputs) },
  };
}
