import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { type Derivation, parseDerivation, printDerivation, printMasked } from '../../src/formats/derivation.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../src/formats/store-path.ts';
import { anyDerivation, anyStoreDir } from '../support/arbitraries.ts';
import { needsVectors, readVector } from '../support/vectors.ts';

const H = '00000000000000000000000000000000';
const P = `/nix/store/${H}`;
const SHA256 = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';

const parse = (text: string): Derivation => parseDerivation(DEFAULT_STORE_DIR, 'x', Buffer.from(text));

/** Of the 2.35 test vectors: those without outputs that are floating, deferred or impure. */
const VECTORS = [
  'simple-derivation',
  'ia/advanced-attributes',
  'ia/advanced-attributes-defaults',
  'ia/advanced-attributes-structured-attrs',
  'ia/advanced-attributes-structured-attrs-defaults',
] as const;

const UNSUPPORTED = [
  ['Derive([("out","","","")],[],[],"s","b",[],[])', 15, /deferred.* not supported/],
  ['Derive([("out","","r:sha256","")],[],[],"s","b",[],[])', 15, /floating content-addressed.* not supported/],
  ['Derive([("out","","r:sha256","impure")],[],[],"s","b",[],[])', 15, /impure.* not supported/],
  ['DrvWithVersion("xp-dyn-drv",[],[],[],"s","b",[],[])', 15, /dynamic.* not supported/],
  [`Derive([],[("${P}-a.drv",(["out"],[]))],[],"s","b",[],[])`, 64, /dynamic.* not supported/],
] as const;

const REJECTED = [
  ['', 0, 'nothing'],
  ['DrvWithVersion("invalid",[],[],[],"s","b",[],[])', 15, 'a version that Nix has not'],
  ['Derive([],[],[],"s","b",[],[]', 29, 'an end before the last parenthesis'],
  ['Derive([],[],[],"s","b",[],[])\n', 30, 'more after the end'],
  ['Derive([],[],[],"s","b",[],["x"])', 28, 'a variable that is no pair'],
  ['Derive([],[],[],"s","b",["a",],[])', 29, 'a comma without an element'],
  ['Derive([],[],[],"s","b",["a" "b"],[])', 28, 'a space'],
  ['Derive([],[],[],"s","b', 20, 'a string without an end'],
  ['Derive([],[],[],"s","b\\', 20, 'an end after a backslash'],
  ['Derive([],[],[],"s","b\\"', 20, 'an escaped quote at the end'],
  ['Derive([],[],[],"é","b",[],["x"])', 29, 'an offset after a character of two bytes'],
  [`Derive([],[],["${H}-a"],"s","b",[],[])`, 14, 'a source without a store directory'],
  [`Derive([],[],["${P}-a/b"],"s","b",[],[])`, 14, 'a source below a store path'],
  [`Derive([],[],["${P}-a","${P}-a"],"s","b",[],[])`, 62, 'a source twice'],
  [`Derive([],[("${P}-a.drv",["out","out"])],[],"s","b",[],[])`, 71, 'the output of an input twice'],
  [`Derive([],[("${P}-a.drv",["out"]),("${P}-a.drv",["dev"])],[],"s","b",[],[])`, 73, 'an input twice'],
  ['Derive([],[],[],"s","b",[],[("a","1"),("a","2")])', 38, 'a variable twice'],
  [`Derive([("out","${P}-x","",""),("out","${P}-x","","")],[],[],"s","b",[],[])`, 70, 'an output twice'],
  [`Derive([("o/t","${P}-x","","")],[],[],"s","b",[],[])`, 9, 'the name of an output that no path could have'],
  [`Derive([("","${P}-x","","")],[],[],"s","b",[],[])`, 9, 'an output without a name'],
  ['Derive([("out","/x","","")],[],[],"s","b",[],[])', 15, 'an output elsewhere'],
  [`Derive([("out","${P}-x","","${SHA256}")],[],[],"s","b",[],[])`, 15, 'a hash without an algorithm'],
  [`Derive([("out","${P}-x","sha256","")],[],[],"s","b",[],[])`, 15, 'a fixed output that has a path but no hash'],
  [`Derive([("out","${P}-x","sha3","${SHA256}")],[],[],"s","b",[],[])`, 15, 'an unknown algorithm'],
  [`Derive([("out","${P}-x","x:sha256","${SHA256}")],[],[],"s","b",[],[])`, 15, 'an unknown method'],
  ['Derive([],[],[],"s\\"","b",[],[])', 16, 'a system that Nix could not read back'],
] as const;

describe('a derivation', () => {
  for (const name of VECTORS) {
    test(`is printed as it was read: ${name}`, needsVectors, async () => {
      const text = await readVector(`derivation/${name}.drv`);
      assert.equal(printDerivation(DEFAULT_STORE_DIR, parse(text)), text);
    });
  }

  for (const name of ['hello', 'firefox']) {
    test(
      `of real size is read, whose hash parts upstream made the same afterwards: ${name}`,
      needsVectors,
      async () => {
        const text = await readVector(`derivation/${name}.drv`);
        const printed = printDerivation(DEFAULT_STORE_DIR, parse(text));
        assert.equal(printed.length, text.length);
        assert.deepEqual(parse(printed), parse(text));
      },
    );
  }

  test('says everything that its file says', () => {
    const text = `Derive([("out","${P}-x","r:sha256","${SHA256}")],[("${P}-a.drv",["dev","out"])],["${P}-src"],"s","/b",["-c","\\"\\\\\\n\\r\\t"],[("é","")])`;
    const derivation = parse(text);
    assert.deepEqual(derivation, {
      name: 'x',
      outputs: new Map([
        [
          'out',
          {
            path: parseBaseName(`${H}-x`),
            contentAddress: {
              method: 'nar',
              hash: { algorithm: 'sha256', digest: new Uint8Array(Buffer.from(SHA256, 'hex')) },
            },
          },
        ],
      ]),
      inputDrvs: new Map([[parseBaseName(`${H}-a.drv`), ['dev', 'out']]]),
      inputSrcs: [`${H}-src`],
      system: 's',
      builder: '/b',
      args: ['-c', '"\\\n\r\t'],
      env: new Map([['é', '']]),
    });
    assert.equal(printDerivation(DEFAULT_STORE_DIR, derivation), text);
  });

  test('is the same however its lists are ordered', () => {
    const sorted = `Derive([("dev","${P}-x-dev","",""),("out","${P}-x","","")],[("${P}-a.drv",["dev","out"]),("${P}-b.drv",["out"])],["${P}-a","${P}-b"],"s","b",[],[("a",""),("\uffff",""),("\u{10000}","")])`;
    const other = `Derive([("out","${P}-x","",""),("dev","${P}-x-dev","","")],[("${P}-b.drv",["out"]),("${P}-a.drv",["out","dev"])],["${P}-b","${P}-a"],"s","b",[],[("\u{10000}",""),("\uffff",""),("a","")])`;
    assert.equal(printDerivation(DEFAULT_STORE_DIR, parse(other)), sorted);
  });

  test('is read back as printed, and survives structured clone', () => {
    fc.assert(
      fc.property(anyStoreDir, anyDerivation, (storeDir, derivation) => {
        const bytes = Buffer.from(printDerivation(storeDir, derivation));
        assert.deepEqual(parseDerivation(storeDir, derivation.name, bytes), derivation);
        assert.deepEqual(structuredClone(derivation), derivation);
      }),
    );
  });

  test('is printed without its outputs where its hash is computed', () => {
    const text = `Derive([("dev","${P}-x-dev","",""),("out","${P}-x","","")],[("${P}-a.drv",["out"])],[],"s","b",[],[("a","1"),("out","${P}-x")])`;
    assert.equal(
      printMasked(DEFAULT_STORE_DIR, parse(text), [['00', ['out']]]),
      'Derive([("dev","","",""),("out","","","")],[("00",["out"])],[],"s","b",[],[("a","1"),("out","")])',
    );
  });

  for (const [text, offset, problem] of UNSUPPORTED) {
    test(`is refused where it is ${problem.source.replace(/\.\*.*/, '')}: ${text}`, () => {
      assert.throws(
        () => parse(text),
        (error) => error instanceof FormatError && error.offset === offset && problem.test(error.message),
      );
    });
  }

  for (const [text, offset, why] of REJECTED) {
    test(`is refused for ${why}`, () => {
      assert.throws(
        () => parse(text),
        (error) => error instanceof FormatError && assert.equal(error.offset, offset, error.message) === undefined,
      );
    });
  }

  test('is refused at the first byte that is not UTF-8', () => {
    for (const [bytes, offset] of [
      [[0x61, 0xc3, 0xa9, 0xff, 0x61], 3],
      [[0x61, 0xc3], 1],
      [[0xed, 0xa0, 0x80], 0],
      [[0x61, 0x61, 0xf0, 0x9f, 0x98], 2],
    ] as const) {
      assert.throws(
        () => parseDerivation(DEFAULT_STORE_DIR, 'x', Uint8Array.from(bytes)),
        (error) => error instanceof FormatError && assert.equal(error.offset, offset) === undefined,
      );
    }
  });

  test('is read in linear time, whatever it holds', () => {
    for (const element of ['"a"', '"\\\\"', '"a\\n"']) {
      const args = Array(300_000).fill(element).join();
      assert.equal(parse(`Derive([],[],[],"s","b",[${args}],[])`).args.length, 300_000);
      assert.equal(parse(`Derive([],[],[],"s","b",[${args}],[("a","\\n")])`).args.length, 300_000);
    }
    assert.throws(() => parse(`Derive([],[],[],"s","${'\\"'.repeat(1_000_000)}`), /a string has no end/);
  });
});
