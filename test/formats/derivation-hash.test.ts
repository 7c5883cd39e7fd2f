import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/errors.ts';
import { type Derivation, parseDerivation } from '../../src/formats/derivation.ts';
import {
  checkDerivationPath,
  checkOutputs,
  derivationName,
  derivationPath,
  fillOutputs,
  hashDerivationModulo,
  makeOutputPaths,
} from '../../src/formats/derivation-hash.ts';
import type { Hash } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, parseBaseName, type StorePath } from '../../src/formats/store-path.ts';

/**
 * As nix-instantiate of Nix 2.8 makes them:
 *   rec {
 *     src = derivation {
 *       name = "src"; system = "s"; builder = "b";
 *       outputHash = "sha256-iUUXyRY8iW7DGirb0zwGgf1fRbLA7wimTJKgP7l/OQ8=";
 *     };
 *     lib = derivation { name = "lib"; system = "s"; builder = "b"; inherit src; };
 *     top = derivation { name = "top"; system = "s"; builder = "b"; outputs = [ "out" "dev" ]; inherit lib; };
 *   }
 */
const TEXTS = {
  'blnvhx6dbhx2qjqbdz23jmr20vnsidi3-src.drv':
    'Derive([("out","/nix/store/7snzk161dq6xa01snmi2y4lsrryfma3y-src","sha256","894517c9163c896ec31a2adbd33c0681fd5f45b2c0ef08a64c92a03fb97f390f")],[],[],"s","b",[],[("builder","b"),("name","src"),("out","/nix/store/7snzk161dq6xa01snmi2y4lsrryfma3y-src"),("outputHash","sha256-iUUXyRY8iW7DGirb0zwGgf1fRbLA7wimTJKgP7l/OQ8="),("system","s")])',
  'yk1pr76sy0wxkdwa672qchz1snj17ig1-lib.drv':
    'Derive([("out","/nix/store/k2hzw5yy77a4rgbqiyi256ib8aa74www-lib","","")],[("/nix/store/blnvhx6dbhx2qjqbdz23jmr20vnsidi3-src.drv",["out"])],[],"s","b",[],[("builder","b"),("name","lib"),("out","/nix/store/k2hzw5yy77a4rgbqiyi256ib8aa74www-lib"),("src","/nix/store/7snzk161dq6xa01snmi2y4lsrryfma3y-src"),("system","s")])',
  'kz4gg683l81i1qyj3fa9idg95fgkq0ww-top.drv':
    'Derive([("dev","/nix/store/p69w5nblnsga7nqypplsr2dxzmbjrprq-top-dev","",""),("out","/nix/store/w7gmay6wyd7hl8x5sfxz5l7yr8a0avym-top","","")],[("/nix/store/yk1pr76sy0wxkdwa672qchz1snj17ig1-lib.drv",["out"])],[],"s","b",[],[("builder","b"),("dev","/nix/store/p69w5nblnsga7nqypplsr2dxzmbjrprq-top-dev"),("lib","/nix/store/k2hzw5yy77a4rgbqiyi256ib8aa74www-lib"),("name","top"),("out","/nix/store/w7gmay6wyd7hl8x5sfxz5l7yr8a0avym-top"),("outputs","out dev"),("system","s")])',
} as const;

const [SRC, LIB, TOP] = Object.keys(TEXTS).map(parseBaseName) as [StorePath, StorePath, StorePath];
const OTHER = '/nix/store/00000000000000000000000000000000-other';

function read(path: StorePath, change: (text: string) => string = (text) => text): Derivation {
  const text = change(TEXTS[path as string as keyof typeof TEXTS]);
  return parseDerivation(DEFAULT_STORE_DIR, derivationName(path), Buffer.from(text));
}

/** Three levels deep, so that calling itself does no harm. */
const inputHash = (path: StorePath): Hash => hashDerivationModulo(DEFAULT_STORE_DIR, read(path), inputHash);

/** What a text says instead, and what is wrong then. */
const WRONG = [
  [SRC, (text) => text.replaceAll('7snzk161dq6xa01snmi2y4lsrryfma3y', '0'.repeat(32)), "wrong output 'out'"],
  [SRC, (text) => text.replace('"sha256","', '"r:sha256","'), "wrong output 'out'"],
  [SRC, (text) => text.replace('("out","/nix/store/7snzk161dq6xa01snmi2y4lsrryfma3y-src"),', ''), 'got none'],
  [LIB, (text) => text.replaceAll('k2hzw5yy77a4rgbqiyi256ib8aa74www', '0'.repeat(32)), "wrong output 'out'"],
  [LIB, (text) => text.replace('("system","s")', '("system","t")'), "wrong output 'out'"],
  [TOP, (text) => text.replace(/(.*)\("out","[^"]*"\)/, `$1("out","${OTHER}")`), "wrong variable 'out'"],
  [TOP, (text) => text.replace(/\[\(.*?\)\]/, '[]'), 'no outputs'],
  [SRC, (text) => text.replaceAll('("out",', '("dev",'), "called 'dev'"],
  [SRC, (text) => text.replace('[("out"', `[("dev","${OTHER}","",""),("out"`), 'are fixed and others are not'],
] as const satisfies readonly (readonly [StorePath, (text: string) => string, string])[];

describe('the paths of a derivation', () => {
  for (const path of [SRC, LIB, TOP]) {
    test(`are those that Nix gave it: ${path}`, () => {
      const derivation = read(path);
      assert.equal(derivationPath(DEFAULT_STORE_DIR, derivation), path);
      checkDerivationPath(DEFAULT_STORE_DIR, path, derivation);
      checkOutputs(DEFAULT_STORE_DIR, path, derivation, inputHash);
      assert.deepEqual(
        [...makeOutputPaths(DEFAULT_STORE_DIR, derivation, inputHash)],
        Array.from(derivation.outputs, ([name, output]) => [name, output.path]),
      );
    });

    test(`are filled in where they are not known: ${path}`, () => {
      const derivation = read(path);
      const outputs = new Map(
        Array.from(derivation.outputs, ([name, { contentAddress }]) => [
          name,
          contentAddress ? { contentAddress } : {},
        ]),
      );
      const env = new Map([...derivation.env].filter(([name]) => !outputs.has(name)));
      assert.deepEqual(fillOutputs(DEFAULT_STORE_DIR, { ...derivation, outputs, env }, inputHash), derivation);
      for (const name of outputs.keys()) env.set(name, '');
      assert.deepEqual(fillOutputs(DEFAULT_STORE_DIR, { ...derivation, outputs, env }, inputHash), derivation);
      assert.deepEqual(fillOutputs(DEFAULT_STORE_DIR, derivation, inputHash), derivation);
    });
  }

  test('do not depend on how a fixed output is fetched', () => {
    const changed = (path: StorePath): Hash =>
      hashDerivationModulo(
        DEFAULT_STORE_DIR,
        read(path, (text) => text.replace('("system","s")', '("system","t"),("url","x")')),
        () => assert.fail('a fixed output depends on no input'),
      );
    assert.deepEqual(changed(SRC), inputHash(SRC));
  });

  for (const [path, change, problem] of WRONG) {
    test(`are refused where ${problem}, in ${path}: ${change}`, () => {
      const derivation = read(path, change);
      assert.throws(
        () => checkOutputs(DEFAULT_STORE_DIR, path, derivation, inputHash),
        (error) => error instanceof StoreError && assert.match(error.message, new RegExp(problem)) === undefined,
      );
    });
  }

  test('are refused where the name is another one', () => {
    assert.throws(
      () => checkOutputs(DEFAULT_STORE_DIR, TOP, read(LIB), inputHash),
      /wrong name, wanted 'top', got 'lib'/,
    );
  });

  test('are refused where the text belongs to another path', () => {
    const changed = read(TOP, (text) => text.replace('"b"', '"c"'));
    assert.throws(
      () => checkDerivationPath(DEFAULT_STORE_DIR, TOP, changed),
      /wrong path for its text, wanted '.*-top\.drv'/,
    );
  });
});
