import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { MAX_DEPTH, NarParser } from '../../src/formats/nar.ts';
import { ARCHIVE_START, DIRECTORY_START, entryStart, fileStart } from '../../src/formats/nar-writer.ts';
import { anyTree, directory, file, narOf, type Tree, TreeBuilder } from '../support/trees.ts';
import { needsVectors, vectorPath } from '../support/vectors.ts';

function parse(chunks: Iterable<Uint8Array>): Tree | undefined {
  const builder = new TreeBuilder();
  const parser = new NarParser(builder);
  for (const chunk of chunks) parser.push(chunk);
  parser.finish();
  return builder.tree;
}

function s(...texts: string[]): string {
  return texts
    .map((text) => {
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(text.length));
      return length.toString('latin1') + text + '\0'.repeat((8 - (text.length % 8)) % 8);
    })
    .join('');
}

const MAGIC = s('nix-archive-1');
const EMPTY_FILE = s('(', 'type', 'regular', 'contents', '', ')');
const HUGE = '\xff\xff\xff\xff\xff\xff\xff\xff';

const byByte = (nar: Uint8Array): Uint8Array[] => Array.from(nar, (byte) => Uint8Array.of(byte));

/** Byte for byte what `nix-store --dump` of Nix 2.8 prints for a file `hi\n`, executable. */
const STOCK_DUMP =
  '0d000000000000006e69782d617263686976652d3100000001000000000000002800000000000000040000000000000074797065000000000700' +
  '000000000000726567756c6172000a0000000000000065786563757461626c6500000000000000000000000000000800000000000000636f6e74' +
  '656e7473030000000000000068690a000000000001000000000000002900000000000000';

const FILE = s('(', 'type', 'regular', 'contents');
const IN_DIRECTORY = MAGIC + s('(', 'type', 'directory', 'entry', '(', 'name');
const AFTER_B = `${IN_DIRECTORY + s('b', 'node') + EMPTY_FILE}${s(')', 'entry', '(', 'name')}`;

/** What is good, what goes wrong right after it, and why. */
const REJECTED = [
  ['', '', 'nothing at all'],
  ['', s('nix-archive-2'), 'another magic'],
  ['', HUGE, 'a length beyond all bounds'],
  ['', `${MAGIC.slice(0, -1)}x`, 'padding of a token that is not zero'],
  [MAGIC + s('(', 'type'), s('fifo'), 'an unknown type'],
  [MAGIC + EMPTY_FILE, 'x', 'a byte after the end'],
  [MAGIC + EMPTY_FILE.slice(0, -1), '', 'an archive cut before its last byte'],
  [MAGIC + s('(', 'type', 'regular', 'executable'), s('x'), 'an executable marker with a value'],
  [MAGIC + FILE + s(''), s('executable'), 'executable after contents'],
  [MAGIC + s('(', 'type', 'regular'), s(')'), 'a file without contents'],
  [`${MAGIC + FILE}\x01\0\0\0\0\0\0\0a`, '\0\0\0\0\0\0x', 'padding of contents that is not zero'],
  [MAGIC + FILE, HUGE, 'a file size beyond what a number counts'],
  [MAGIC + s('(', 'type', 'symlink', 'target'), s(''), 'an empty symlink target'],
  [MAGIC + s('(', 'type', 'symlink', 'target'), s('a\0b'), 'a NUL in a symlink target'],
  [MAGIC + s('(', 'type', 'symlink', 'target'), s('x'.repeat(4096)), 'a symlink target longer than a path can be'],
  [AFTER_B, s('a'), 'names out of order'],
  [AFTER_B, s('b'), 'a name twice'],
  [IN_DIRECTORY, s('.'), 'the name .'],
  [IN_DIRECTORY, s('..'), 'the name ..'],
  [IN_DIRECTORY, s(''), 'an empty name'],
  [IN_DIRECTORY, s('a/b'), 'a slash in a name'],
  [IN_DIRECTORY, s('a\0b'), 'a NUL in a name'],
  [IN_DIRECTORY, s('n'.repeat(256)), 'a name longer than 255 bytes'],
  [IN_DIRECTORY + s('a'), s('type'), 'an entry without a node'],
  [
    ARCHIVE_START + (DIRECTORY_START + entryStart('d')).repeat(MAX_DEPTH) + s('(', 'type'),
    s('directory'),
    'bottomless nesting',
  ],
] as const;

describe('the NAR parser', () => {
  test('reads what nix-store --dump wrote', () => {
    assert.deepEqual(parse([Buffer.from(STOCK_DUMP, 'hex')]), file('hi\n', true));
  });

  test('reads back whatever tree was written, split anywhere', () => {
    fc.assert(
      fc.property(anyTree, fc.array(fc.nat(500)), (tree, sizes) => {
        const nar = narOf(tree);
        const chunks: Buffer[] = [];
        let rest = nar;
        for (const size of sizes) {
          chunks.push(rest.subarray(0, size));
          rest = rest.subarray(size);
        }
        assert.deepEqual(parse([...chunks, rest]), tree);
      }),
    );
  });

  test('reads the same tree when the archive is cut at any one byte, and byte by byte', () => {
    const tree = directory({
      bin: directory({ run: file('#!/bin/sh\n', true), zz: { type: 'symlink', target: '../lib/x' } }),
      empty: directory({}),
      'n\xe4me': file(''),
      text: file('12345678'),
    });
    const nar = narOf(tree);
    for (let cut = 0; cut <= nar.length; cut++) {
      assert.deepEqual(parse([nar.subarray(0, cut), nar.subarray(cut)]), tree, `cut at ${cut}`);
    }
    assert.deepEqual(parse(byByte(nar)), tree);
  });

  for (const [good, bad, why] of REJECTED) {
    test(`rejects ${why}, whole and byte by byte`, () => {
      const nar = Buffer.from(good + bad, 'latin1');
      const rejected = (error: unknown): boolean => error instanceof FormatError && error.offset === good.length;
      assert.throws(() => parse([nar]), rejected);
      assert.throws(() => parse(byByte(nar)), rejected);
    });
  }

  test('rejects every proper prefix of an archive', () => {
    const nar = narOf(directory({ a: file('abc'), b: { type: 'symlink', target: 'a' } }));
    for (let end = 0; end < nar.length; end++) assert.throws(() => parse([nar.subarray(0, end)]), FormatError);
  });

  test('hears of a file before its bytes have come, and never holds them', () => {
    const heard: string[] = [];
    const builder = new TreeBuilder();
    builder.file = (name: string, executable: boolean, size = 0) => void heard.push(`${name}${executable}${size}`);
    const parser = new NarParser(builder);
    parser.push(Buffer.from(ARCHIVE_START + fileStart(false, 2 ** 40), 'latin1'));
    assert.deepEqual(heard, [`false${2 ** 40}`]);
  });

  describe("upstream's malformed archives", needsVectors, () => {
    const bad = ['dot', 'dotdot', 'empty', 'slash', 'nul-character', 'executable-after-contents', 'name-after-node'];
    for (const name of [...bad, 'functional-duplicate', 'invalid-tag-instead-of-contents']) {
      test(`${name} is refused`, () => {
        const nar = readFileSync(vectorPath(`nars/${name}.nar`));
        assert.throws(() => parse([nar]), FormatError);
      });
    }
    for (const name of ['functional-case', 'functional-case-collision', 'functional-unnormalized']) {
      test(`${name} is read, and written back the same`, () => {
        const nar = readFileSync(vectorPath(`nars/${name}.nar`));
        assert.deepEqual(narOf(parse([nar])!), nar);
      });
    }
  });
});
