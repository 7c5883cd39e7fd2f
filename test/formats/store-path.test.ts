import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { hashBytes, parseHash } from '../../src/formats/hash.ts';
import {
  checkPathName,
  DEFAULT_STORE_DIR,
  hashPart,
  makeFixedOutputPath,
  makeOutputPath,
  makeTextPath,
  parseBaseName,
  parseStoreDir,
  parseStorePath,
  parseWithin,
  pathName,
  printStorePath,
} from '../../src/formats/store-path.ts';
import { anyName, anyStoreDir, anyStorePath } from '../support/arbitraries.ts';
import { needsVectors, readJsonVector } from '../support/vectors.ts';

const HASH = 'gy454w1cxaq731grqwylhzf4pp9r5izh';
const HELLO = parseBaseName(`${HASH}-hello.txt`);
const NONE = { references: [], self: false };
const isFormatError = (error: unknown): boolean =>
  error instanceof FormatError && !error.message.includes('unreachable');

describe('a store directory', () => {
  for (const text of ['/nix/store', '/a', '/home/me/.local/store', '/a/..b/...']) {
    test(`may be ${text}`, () => assert.equal(parseStoreDir(text), text));
  }
  const REJECTED = [
    ['', 'nothing'],
    ['nix/store', 'a relative path'],
    ['/', 'the root'],
    ['/nix/store/', 'a slash at the end'],
    ['/nix//store', 'two slashes in a row'],
    ['/nix/./store', 'a dot'],
    ['/nix/store/..', 'two dots'],
    ['/nix\n/store', 'a newline'],
    ['/nix/\0', 'a NUL'],
  ] as const;
  for (const [text, why] of REJECTED) {
    test(`must not be ${why}`, () => assert.throws(() => parseStoreDir(text), isFormatError));
  }
});

describe('a store path', () => {
  /** As `nix-store --print-fixed-path` of Nix 2.8 takes them, less the two that Nix 2.35 rejects. */
  for (const name of ['a', '.a', '...', '...-a', '-', '+-._?=aZ09', 'x'.repeat(211)]) {
    test(`may have the name ${name}`, () => {
      checkPathName(name);
      assert.equal(parseBaseName(`${HASH}-${name}`), `${HASH}-${name}`);
    });
  }

  const BAD_NAMES = [
    ['', 'that is empty'],
    ['x'.repeat(212), 'of 212 characters'],
    ['.', 'that is a dot'],
    ['..', 'that is two dots'],
    ['.-a', 'with a dot before the first dash'],
    ['..-a', 'with two dots before the first dash'],
    ['a b', 'with a space'],
    ['a/b', 'with a slash'],
    ['a\n', 'with a newline'],
    ['a\0', 'with a NUL'],
    ['é', 'with a letter beyond ASCII'],
    ['a~', 'with a tilde'],
  ] as const;
  for (const [name, why] of BAD_NAMES) {
    test(`must not have a name ${why}`, () => {
      assert.throws(() => checkPathName(name), isFormatError);
      assert.throws(() => parseBaseName(`${HASH}-${name}`), isFormatError);
    });
  }

  const BAD_BASE_NAMES = [
    ['', 0, 'nothing'],
    [HASH, 32, 'a hash part alone'],
    [`${HASH.slice(1)}-x`, 31, 'a hash part of 31 digits'],
    [`0${HASH}-x`, 32, 'a hash part of 33 digits'],
    [`e${HASH.slice(1)}-x`, 0, 'a letter that nix32 has not'],
    [`${HASH.slice(1)}G-x`, 31, 'an upper case letter in the hash part'],
    [`/nix/store/${HELLO}`, 0, 'a full path'],
  ] as const;
  for (const [text, offset, why] of BAD_BASE_NAMES) {
    test(`must not have as base name ${why}`, () => {
      assert.throws(
        () => parseBaseName(text),
        (error) => error instanceof FormatError && error.offset === offset,
      );
    });
  }

  test('is one level below the store directory', () => {
    assert.equal(parseStorePath(DEFAULT_STORE_DIR, `/nix/store/${HELLO}`), HELLO);
    assert.equal(printStorePath(DEFAULT_STORE_DIR, HELLO), `/nix/store/${HELLO}`);
  });

  const BAD_PATHS = [
    [HELLO, 'a base name'],
    ['/nix/store', 'the store directory'],
    ['/nix/store/', 'the store directory with a slash'],
    [`/gnu/store/${HELLO}`, 'a path in another store directory'],
    [`/nix/store2/${HELLO}`, 'a path in a directory whose name only starts the same'],
    [`/nix/store-${HELLO}`, 'a path beside the store directory'],
    [`/nix/store/${HELLO}/bin`, 'a path two levels below'],
    [`/nix/store/${HELLO}/`, 'a path with a slash at the end'],
    [`/nix/store//${HELLO}`, 'a path with two slashes'],
    [`/nix/store/../store/${HELLO}`, 'a path with dots'],
  ] as const;
  for (const [text, why] of BAD_PATHS) {
    test(`is not ${why}`, () => assert.throws(() => parseStorePath(DEFAULT_STORE_DIR, text), isFormatError));
  }

  test('consists of a hash part and a name', () => {
    assert.equal(hashPart(HELLO), HASH);
    assert.equal(pathName(HELLO), 'hello.txt');
  });

  test('is found in the path of a file inside it', () => {
    for (const rest of ['', '/', '/bin/x', '//..']) {
      assert.deepEqual(parseWithin(DEFAULT_STORE_DIR, `/nix/store/${HELLO}${rest}`), { path: HELLO, rest });
    }
    assert.throws(() => parseWithin(DEFAULT_STORE_DIR, '/nix/store/../x'), isFormatError);
    assert.throws(() => parseWithin(DEFAULT_STORE_DIR, `/etc/${HELLO}`), isFormatError);
  });

  test('is read back as printed', () => {
    fc.assert(
      fc.property(anyStoreDir, anyStorePath, fc.constantFrom('', '/', '/a/b'), (storeDir, path, rest) => {
        const text = printStorePath(storeDir, path);
        assert.equal(parseStorePath(storeDir, text), path);
        assert.deepEqual(parseWithin(storeDir, text + rest), { path, rest });
        assert.equal(parseBaseName(`${hashPart(path)}-${pathName(path)}`), path);
      }),
    );
  });

  test('is taken with any one character changed, or rejected for a stated reason', () => {
    fc.assert(
      fc.property(anyStorePath, fc.nat(260), fc.string({ maxLength: 2 }), (path, at, middle) => {
        const text = path.slice(0, at) + middle + path.slice(at + 1);
        try {
          assert.equal(parseBaseName(text), text);
        } catch (error) {
          assert.ok(isFormatError(error), String(error));
        }
      }),
    );
  });

  test("is spelled as in upstream's JSON", needsVectors, async () => {
    const text = String(await readJsonVector('store-path/simple.json'));
    assert.equal(pathName(parseBaseName(text)), 'foo.drv');
  });
});

describe('the store path', () => {
  /** From `nix-store --print-fixed-path [--recursive] ALGORITHM HASH hello.txt` of Nix 2.8, for the text 'hello\n'. */
  const FIXED = [
    ['md5', 'flat', 'dra1cz5vbrhclpv4y1q0psnbkxz581bk'],
    ['md5', 'nar', 'sbfq9iymq32v38i25x1pfiwj245pgbkb'],
    ['sha1', 'flat', 'svdva85yi507g9vncgsaxvnd1r808h4w'],
    ['sha1', 'nar', '6mahn7cx5zh7inhxx7x0isx0m8q5552y'],
    ['sha256', 'flat', 'gy454w1cxaq731grqwylhzf4pp9r5izh'],
    ['sha256', 'nar', '0zgbbyd533sbd98m5a7135zjdzj0cbna'],
    ['sha512', 'flat', '9a8mxachqmcv8x2cfijdps9dyxgyyrzm'],
    ['sha512', 'nar', 's976m1vzdsg5zhmzw6n9079l14p9gmlk'],
  ] as const;
  for (const [algorithm, method, expected] of FIXED) {
    test(`of a fixed output follows from ${method} with ${algorithm}`, () => {
      const contentAddress = { method, hash: hashBytes(algorithm, 'hello\n') };
      assert.equal(makeFixedOutputPath(DEFAULT_STORE_DIR, 'hello.txt', contentAddress, NONE), `${expected}-hello.txt`);
    });
  }

  test('depends on the store directory', () => {
    // From the same command with NIX_STORE_DIR=/gnu/store.
    const contentAddress = { method: 'nar', hash: hashBytes('sha256', 'hello\n') } as const;
    const path = makeFixedOutputPath(parseStoreDir('/gnu/store'), 'hello.txt', contentAddress, NONE);
    assert.equal(path, 'jwv3jd8jc6m97j08i9xqim4z3pnlvpv3-hello.txt');
  });

  test('of an object that refers to itself depends on that', () => {
    // From `nix store make-content-addressed` of Nix 2.8, with NIX_STORE_DIR=/example/store.
    const hash = parseHash('sha256:0n33ikhffy1jb8vh1r4dfp9cxnp7r39rn1ivpml8672dqgy3aidl');
    const others = { references: [parseBaseName('61rlszfqja38z9m5dsmnpkxccqb6y871-dep')], self: true };
    const path = makeFixedOutputPath(parseStoreDir('/example/store'), 'self', { method: 'nar', hash }, others);
    assert.equal(path, 'b70m2rlbiwpa956m7zbqd7hmb5s5iln2-self');
  });

  test('of a text depends on its references, in any order', () => {
    // From `nix-instantiate --eval -E 'builtins.toFile NAME "TEXT"'` of Nix 2.8, each text with the paths before it.
    const text = (name: string, content: string, ...references: ReturnType<typeof parseBaseName>[]) =>
      makeTextPath(DEFAULT_STORE_DIR, name, hashBytes('sha256', content), references);
    const full = (path: ReturnType<typeof parseBaseName>): string => printStorePath(DEFAULT_STORE_DIR, path);
    const note = text('note', 'hello\n');
    const aaa = text('aaa', 'a\n');
    assert.equal(note, 'hk4fa3z1idv58ynl352glj9xxp8j4zg6-note');
    assert.equal(text('note2', `see ${full(note)}\n`, note), 'pspbbck1v8pgqqyf8h2kqmq5pryk6917-note2');
    const both = `see ${full(note)} and ${full(aaa)}\n`;
    assert.equal(text('note3', both, note, aaa), 'lcvs7drprzzz9lbxpzycah5xzly7y198-note3');
    assert.equal(text('note3', both, aaa, note), 'lcvs7drprzzz9lbxpzycah5xzly7y198-note3');
  });

  test('of an output has the id of the output in its name, unless it is out', () => {
    // From `nix-instantiate` of Nix 2.8 on a derivation without inputs: the hash is that of its text without outputs.
    const text =
      'Derive([("dev","","",""),("out","","","")],[],[],"x86_64-linux","/bin/sh",[],[("builder","/bin/sh"),' +
      '("dev",""),("name","demo"),("out",""),("outputs","out dev"),("system","x86_64-linux")])';
    const hash = hashBytes('sha256', text);
    assert.equal(makeOutputPath(DEFAULT_STORE_DIR, 'out', hash, 'demo'), 'r7i29pf5vxvxwdnxip233n7nalfxi002-demo');
    assert.equal(makeOutputPath(DEFAULT_STORE_DIR, 'dev', hash, 'demo'), 's6693kv41paq4w6mixv5265p6bcpld81-demo-dev');
  });

  test('of a fixed output has no references, but for nar with sha256', () => {
    for (const [method, algorithm] of [
      ['flat', 'sha256'],
      ['nar', 'sha1'],
      ['git', 'sha256'],
    ] as const) {
      const contentAddress = { method, hash: hashBytes(algorithm, '') };
      for (const others of [
        { references: [HELLO], self: false },
        { references: [], self: true },
      ]) {
        assert.throws(() => makeFixedOutputPath(DEFAULT_STORE_DIR, 'x', contentAddress, others), /no references/);
      }
    }
  });

  test('of a Git object has a hash that Git has', () => {
    const path = (algorithm: 'md5' | 'sha1') =>
      makeFixedOutputPath(DEFAULT_STORE_DIR, 'x', { method: 'git', hash: hashBytes(algorithm, '') }, NONE);
    assert.match(path('sha1'), /-x$/);
    assert.throws(() => path('md5'), /git wants sha1 or sha256, got md5/);
  });

  test('is always one that can be read, and never has a bad name', () => {
    const hash = hashBytes('sha256', '');
    fc.assert(
      fc.property(anyStoreDir, anyName, (storeDir, name) => {
        const path = makeTextPath(storeDir, name, hash, []);
        assert.equal(parseBaseName(path), path);
      }),
    );
    assert.throws(() => makeTextPath(DEFAULT_STORE_DIR, 'a/b', hash, []), isFormatError);
  });
});
