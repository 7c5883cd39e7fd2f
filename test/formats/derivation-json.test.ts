import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import {
  type Derivation,
  type DraftDerivation,
  parseDerivation,
  printDerivation,
} from '../../src/formats/derivation.ts';
import { printDerivationJson, printDerivationsJson } from '../../src/formats/derivation-json.ts';
import { parseDerivationJson } from '../../src/formats/derivation-json-parse.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../src/formats/store-path.ts';
import { anyDerivation, anyStoreDir } from '../support/arbitraries.ts';
import { needsVectors, readVector } from '../support/vectors.ts';

/** Of the 2.35 test vectors: derivations and their JSON. */
const VECTORS = [
  'simple-derivation',
  'ia/advanced-attributes',
  'ia/advanced-attributes-defaults',
  'ia/advanced-attributes-structured-attrs',
  'ia/advanced-attributes-structured-attrs-defaults',
] as const;

const H = '00000000000000000000000000000000';
const PATH = parseBaseName(`${H}-x.drv`);
const SRI = 'sha256-iUUXyRY8iW7DGirb0zwGgf1fRbLA7wimTJKgP7l/OQ8=';
const HEX = '894517c9163c896ec31a2adbd33c0681fd5f45b2c0ef08a64c92a03fb97f390f';

const CURRENT = {
  name: 'x',
  version: 4,
  outputs: {},
  inputs: { srcs: [], drvs: {} },
  system: 's',
  builder: 'b',
  args: [],
  env: {},
};
const OLD = { outputs: {}, inputSrcs: [], inputDrvs: {}, system: 's', builder: 'b', args: [], env: { name: 'x' } };

const parse = (value: unknown): DraftDerivation => parseDerivationJson(DEFAULT_STORE_DIR, JSON.stringify(value));

const REJECTED = [
  [[], /wanted an object, got a list/],
  [{ ...CURRENT, version: 3 }, /version '3' is not supported, wanted 4 or none/],
  [{ ...CURRENT, version: '4' }, /version '"4"' is not supported/],
  [{ ...CURRENT, name: undefined }, /'name': wanted a string, got nothing/],
  [{ ...CURRENT, name: 'a/b' }, /characters other than letters/],
  [{ ...CURRENT, system: 's"' }, /has a quote or backslash/],
  [{ ...CURRENT, args: [1] }, /an element of 'args': wanted a string, got a number/],
  [{ ...CURRENT, args: ['\ud800'] }, /an element of 'args': wanted a string/],
  [{ ...CURRENT, env: { a: null } }, /'env.a': wanted a string, got null/],
  [{ ...CURRENT, env: { 'a\\b': '' } }, /keys with a backslash are not supported/],
  [{ ...CURRENT, inputs: [] }, /'inputs': wanted an object, got a list/],
  [{ ...CURRENT, inputs: { srcs: ['/nix/store/a'], drvs: {} } }, /'inputs.srcs': .*store path/],
  [{ ...CURRENT, inputs: { srcs: [], drvs: { [`${H}-a`]: { outputs: ['out'] } } } }, /is no derivation/],
  [
    { ...CURRENT, inputs: { srcs: [], drvs: { [PATH]: { outputs: [], dynamicOutputs: { out: {} } } } } },
    /dynamic derivations are not supported/,
  ],
  [{ ...CURRENT, outputs: { 'a/b': {} } }, /characters other than letters/],
  [{ ...CURRENT, outputs: { out: { method: 'nar', hashAlgo: 'sha256' } } }, /not known beforehand is not supported/],
  [{ ...CURRENT, outputs: { out: { method: 'nar', hashAlgo: 'sha256', impure: true } } }, /an impure output is not/],
  [{ ...CURRENT, outputs: { out: { method: 'tar', hash: SRI } } }, /unknown method 'tar'/],
  [{ ...CURRENT, outputs: { out: { method: 'nar', hash: 'sha256-x' } } }, /which no sha256 hash has/],
  [{ ...CURRENT, structuredAttrs: [] }, /'structuredAttrs': wanted an object, got a list/],
  [{ ...CURRENT, structuredAttrs: {}, env: { __json: '{}' } }, /cannot both be there/],
  [{ derivations: {}, version: 4 }, /wanted one derivation, got 0/],
  [{ derivations: { [PATH]: CURRENT, [`${H}-y.drv`]: CURRENT }, version: 4 }, /wanted one derivation, got 2/],
  [{ ...OLD, env: {} }, /'name': wanted a string, got nothing/],
  [{ ...OLD, inputSrcs: [`${H}-a`] }, /is not in the store directory/],
  [{ ...OLD, outputs: { out: { hashAlgo: 'r:sha256' } } }, /not known beforehand is not supported/],
  [{ ...OLD, outputs: { out: { hashAlgo: 'x:sha256', hash: HEX } } }, /wanted 'text:/],
] as const;

describe('a derivation in JSON', () => {
  for (const vector of VECTORS) {
    test(`says what the derivation says, both ways: ${vector}`, needsVectors, async () => {
      const name = vector.replace('ia/', '');
      const text = await readVector(`derivation/${vector}.drv`);
      const json = await readVector(`derivation/${vector}.json`);
      const derivation = parseDerivation(DEFAULT_STORE_DIR, name, Buffer.from(text));
      assert.equal(printDerivationJson(derivation), json.trimEnd());
      assert.deepEqual(parseDerivationJson(DEFAULT_STORE_DIR, json), derivation);
      assert.equal(
        printDerivation(DEFAULT_STORE_DIR, parseDerivationJson(DEFAULT_STORE_DIR, json) as Derivation),
        text,
      );
    });
  }

  for (const format of ['4', '2.8'] as const) {
    test(`is read back as printed in format ${format}`, () => {
      fc.assert(
        fc.property(anyStoreDir, anyDerivation, (storeDir, derivation) => {
          const path = parseBaseName(`${H}-${derivation.name.slice(0, 207)}.drv`);
          const env = new Map([...derivation.env].filter(([name]) => !name.includes('\\')));
          const named = { ...derivation, name: derivation.name.slice(0, 207), env };
          const inputDrvs = new Map(Array.from(derivation.inputDrvs, ([each, names]) => [drvPath(each), names]));
          const text = printDerivationsJson(storeDir, new Map([[path, { ...named, inputDrvs }]]), format);
          const read = parseDerivationJson(storeDir, text);
          // In the current form the path of a fixed output is not said.
          const outputs = Array.from(
            named.outputs,
            ([name, { path, contentAddress }]) =>
              [
                name,
                format === '4' && contentAddress
                  ? { contentAddress }
                  : { path, ...(contentAddress && { contentAddress }) },
              ] as const,
          );
          assert.deepEqual(read, { ...named, inputDrvs, outputs: new Map(outputs) });
        }),
      );
    });
  }

  test('keeps structured attributes as they are, with keys sorted by their bytes', () => {
    const attributes = '{"10":1.0,"9":12345678901234567890,"a":{"z":1e400,"b":[]},"é":"\\u0007"}';
    const text = JSON.stringify({ ...CURRENT, structuredAttrs: 0 }).replace(
      '"structuredAttrs":0',
      `"structuredAttrs":${attributes}`,
    );
    const derivation = parseDerivationJson(DEFAULT_STORE_DIR, text) as Derivation;
    assert.equal(
      derivation.env.get('__json'),
      '{"10":1.0,"9":12345678901234567890,"a":{"b":[],"z":1e400},"é":"\\u0007"}',
    );
    assert.match(printDerivationJson(derivation), /"10": 1\.0,\s+"9": 12345678901234567890,/);
  });

  test('has variables in the order of their bytes, whatever they look like', () => {
    const env = new Map([
      ['+', ''],
      ['10', ''],
      ['9', ''],
      ['__proto__', ''],
    ]);
    const derivation = { ...(parse(CURRENT) as Derivation), env };
    for (const format of ['4', '2.8'] as const) {
      const text = printDerivationsJson(DEFAULT_STORE_DIR, new Map([[PATH, derivation]]), format);
      assert.deepEqual(
        Array.from(text.matchAll(/"(\+|10|9|__proto__)": ""/g), ([, name]) => name),
        [...env.keys()],
      );
      assert.deepEqual([...parseDerivationJson(DEFAULT_STORE_DIR, text).env], [...env]);
    }
  });

  test('is read without a version in the forms of all older Nix', () => {
    const contentAddress = parse({ ...CURRENT, outputs: { out: { method: 'nar', hash: SRI } } }).outputs;
    const input = `/nix/store/${PATH}`;
    for (const outputs of [
      { out: { hashAlgo: 'r:sha256', hash: HEX } },
      { out: { hashAlgo: 'sha256', method: 'nar', hash: HEX } },
    ]) {
      assert.deepEqual(parse({ ...OLD, outputs }).outputs, contentAddress);
    }
    for (const inputDrvs of [{ [input]: ['out'] }, { [input]: { outputs: ['out'], dynamicOutputs: {} } }]) {
      assert.deepEqual(parse({ ...OLD, inputDrvs }).inputDrvs, new Map([[PATH, ['out']]]));
    }
    assert.equal(parse({ [`/nix/store/${H}-y.drv`]: OLD }).name, 'y');
    assert.equal(parse({ ...OLD, name: 'z' }).name, 'z');
  });

  for (const [value, problem] of REJECTED) {
    test(`is refused: ${problem.source}`, () => {
      assert.throws(
        () => parse(value),
        (error) => error instanceof FormatError && assert.match(error.message, problem) === undefined,
      );
    });
  }

  test('is refused where it is nested without end', () => {
    for (const depth of [2_000, 200_000]) {
      const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`;
      const text = JSON.stringify({ ...CURRENT, structuredAttrs: { a: 0 } }).replace('"a":0', `"a":${nested}`);
      assert.throws(
        () => parseDerivationJson(DEFAULT_STORE_DIR, text),
        (error) => error instanceof FormatError && /nested/.test(error.message),
      );
    }
  });
});

function drvPath(path: string): ReturnType<typeof parseBaseName> {
  return parseBaseName(`${path.slice(0, 239)}.drv`);
}
