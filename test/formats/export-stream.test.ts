import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import {
  EXPORT_END,
  EXPORT_NEXT,
  type ExportedPath,
  ExportParser,
  printExported,
} from '../../src/formats/export-stream.ts';
import { NarParser } from '../../src/formats/nar.ts';
import { DEFAULT_STORE_DIR, parseStoreDir, type StoreDir } from '../../src/formats/store-path.ts';
import { full, pathOf } from '../support/gc-store.ts';
import { anyTree, directory, file, narOf, type Tree, TreeBuilder } from '../support/trees.ts';

interface Heard {
  readonly exported: ExportedPath;
  readonly tree: Tree | undefined;
}

interface Parsed {
  readonly heard: readonly Heard[];
  readonly taken: number;
}

function parse(chunks: Iterable<Uint8Array>, storeDir: StoreDir = DEFAULT_STORE_DIR): Parsed {
  const heard: Heard[] = [];
  let builder = new TreeBuilder();
  const parser = new ExportParser(storeDir, {
    startNar: () => {
      builder = new TreeBuilder();
      return new NarParser(builder);
    },
    endPath: (exported) => heard.push({ exported, tree: builder.tree }),
  });
  let taken = 0;
  for (const chunk of chunks) taken += parser.push(chunk);
  parser.finish();
  return { heard, taken };
}

function number(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function string(value: string): Buffer {
  return Buffer.concat([
    number(value.length),
    Buffer.from(value, 'latin1'),
    Buffer.alloc((8 - (value.length % 8)) % 8),
  ]);
}

const MAGIC = number(0x4558494e);
const [a, b, c] = ['a', 'b', 'c'].map(pathOf) as [
  ReturnType<typeof pathOf>,
  ReturnType<typeof pathOf>,
  ReturnType<typeof pathOf>,
];
const tree = directory({ f: file('hi\n'), x: file('', true) });
const START = Buffer.concat([number(1), narOf(tree)]);
const NAMED = Buffer.concat([START, MAGIC, string(full(a))]);
const COMPLETE = Buffer.concat([NAMED, number(1), string(full(b)), string(full(c)), number(0), number(0)]);

/** What is good, what goes wrong right after it, and why. */
const REJECTED: readonly (readonly [good: Uint8Array, bad: Uint8Array, reason: string])[] = [
  [Buffer.alloc(0), number(2), 'a number before the object that is neither 0 nor 1'],
  [Buffer.alloc(0), number(2n ** 32n), 'a number of more than 32 bits'],
  [Buffer.alloc(0), string('nix-archive-1'), 'a NAR by itself'],
  [number(1), string('nix-archive-2'), 'something else than a NAR'],
  [START, number(0x4558494f), 'another magic'],
  [Buffer.concat([START, MAGIC]), string('/nix/store'), 'a path that is the store directory'],
  [Buffer.concat([START, MAGIC]), string(`/gnu/store/${a}`), 'a path of another store directory'],
  [Buffer.concat([START, MAGIC]), string(`${full(a)}/f`), 'a path in an object'],
  [Buffer.concat([START, MAGIC]), string(`/nix/store/../${a}`), 'a path that leads out of the store'],
  [Buffer.concat([START, MAGIC]), string(`${full(a)}\0`), 'a NUL in a path'],
  [Buffer.concat([START, MAGIC]), number(4353), 'a string that is too long, before it comes'],
  [Buffer.concat([START, MAGIC]), number(2n ** 64n - 1n), 'a string beyond all bounds'],
  [
    Buffer.concat([START, MAGIC, string(full(pathOf('xy'))).subarray(0, -1)]),
    Buffer.from('x'),
    'padding that is not zero',
  ],
  [NAMED, number(65_537), 'more references than anything has, before they come'],
  [Buffer.concat([NAMED, number(1)]), string('f'), 'a reference that is no path'],
  [Buffer.concat([NAMED, number(0)]), string('unknown-deriver'), 'a deriver that is no path'],
  [Buffer.concat([NAMED, number(0), string('')]), number(2), 'neither signature nor none'],
  [Buffer.concat([NAMED, number(0), string(''), number(1)]), number(4353), 'a signature that is too long'],
];

describe('the parser of export streams', () => {
  test('reads an empty stream', () => {
    assert.deepEqual(parse([number(0)]), { heard: [], taken: 8 });
  });

  test('reads objects with what is known of them', () => {
    const again = Buffer.concat([
      START,
      MAGIC,
      string(full(b)),
      number(0),
      string(''),
      number(1),
      string('old'),
      number(0),
    ]);
    const { heard } = parse([COMPLETE.subarray(0, -8), again]);
    assert.deepEqual(heard, [
      { tree, exported: { path: a, references: [b], deriver: c } },
      { tree, exported: { path: b, references: [], deriver: undefined } },
    ]);
  });

  test('hears the same wherever the stream is cut', () => {
    const whole = parse([COMPLETE]);
    assert.deepEqual(parse(Array.from(COMPLETE, (byte) => Uint8Array.of(byte))), whole);
    for (let at = 1; at < COMPLETE.length; at++) {
      assert.deepEqual(parse([COMPLETE.subarray(0, at), COMPLETE.subarray(at)]), whole, `cut at ${at}`);
    }
  });

  test('stops where the stream ends, and says how much of a chunk belongs to it', () => {
    const { heard, taken } = parse([Buffer.concat([COMPLETE, Buffer.from('more')]), Buffer.from('and more')]);
    assert.deepEqual([heard.length, taken], [1, COMPLETE.length]);
  });

  test('sorts references, and has each once', () => {
    const unsorted = [b, c, a, b].sort().reverse();
    const bytes = Buffer.concat([NAMED, number(4), ...unsorted.map((path) => string(full(path))), string('')]);
    const { heard } = parse([bytes, number(0), number(0)]);
    assert.deepEqual(heard[0]?.exported.references, [a, b, c].sort());
  });

  test('has room for the longest names in the deepest store directory', () => {
    const storeDir = parseStoreDir(`/${'ü'.repeat(2047)}`);
    const path = pathOf('n'.repeat(211));
    const stream = [EXPORT_NEXT, narOf(tree), printExported(storeDir, { path, references: [path] }), EXPORT_END];
    assert.deepEqual(parse(stream, storeDir).heard[0]?.exported.references, [path]);
  });

  for (const [good, bad, reason] of REJECTED) {
    test(`rejects ${reason}`, () => {
      const reject = (chunks: readonly Uint8Array[]): void =>
        assert.throws(
          () => parse(chunks),
          (error) => error instanceof FormatError && !/early/.test(error.message),
        );
      reject([Buffer.concat([good, bad])]);
      reject([good, ...Array.from(bad, (byte) => Uint8Array.of(byte))]);
      assert.throws(() => parse([good]), { code: 'ERR_FORMAT', message: /the stream ends early/ });
    });
  }

  test('names the byte where the trouble begins', () => {
    const error = { message: `invalid export stream at byte ${START.length}: no path follows the archive` };
    assert.throws(() => parse([START, number(7)]), error);
    assert.throws(() => parse([COMPLETE.subarray(0, -8), number(9)]), { offset: COMPLETE.length - 8 });
  });

  test('rejects every stream that is cut short', () => {
    for (let length = 0; length < COMPLETE.length; length++) {
      assert.throws(() => parse([COMPLETE.subarray(0, length)]), { code: 'ERR_FORMAT', message: /ends early/ });
    }
  });

  test('reads back what the printer prints', () => {
    const paths = fc.uniqueArray(fc.constantFrom(a, b, c), { maxLength: 3 }).map((each) => each.sort());
    const object = fc.record({
      path: fc.constantFrom(a, b, c),
      references: paths,
      deriver: fc.option(fc.constant(c), { nil: undefined }),
      tree: anyTree,
    });
    fc.assert(
      fc.property(fc.array(object, { maxLength: 3 }), fc.integer({ min: 1, max: 100 }), (objects, size) => {
        const stream = Buffer.concat([
          ...objects.flatMap(({ tree, ...exported }) => [
            EXPORT_NEXT,
            narOf(tree),
            printExported(DEFAULT_STORE_DIR, exported),
          ]),
          EXPORT_END,
        ]);
        const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, i) =>
          stream.subarray(i * size, (i + 1) * size),
        );
        assert.deepEqual(
          parse(chunks).heard,
          objects.map(({ tree, path, references, deriver }) => ({ tree, exported: { path, references, deriver } })),
        );
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});
