import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Mention, MentionFinder } from '../../src/formats/mentions.ts';
import { NarParser } from '../../src/formats/nar.ts';
import { hashPart, parseBaseName } from '../../src/formats/store-path.ts';
import { directory, file, narOf, type Tree } from '../support/trees.ts';

const A = parseBaseName('16f3pf70ldgs55c76qqgl7wz19i4fjzg-a');
const B = parseBaseName('kjwvf75z4qi9r1zffbcamhgzcna6mnxb-b');

function mentions(tree: Tree, size: number): { readonly a: Mention[]; readonly b: Mention[] } {
  const finder = new MentionFinder([A, B]);
  const parser = new NarParser(finder);
  const nar = narOf(tree);
  for (let start = 0; start < nar.length; start += size) parser.push(nar.subarray(start, start + size));
  parser.finish();
  return { a: finder.found.get(A)!, b: finder.found.get(B)! };
}

const SIZES = [1, 3, 31, 32, 33, 64, 100, 127, 128, 129, 1_000, 100_000];
const LONG = Array.from({ length: 40 }, (_, index) => `line ${index} of a text\n`).join('');

test('the first place in each file is found with its margin, wherever the file is cut', () => {
  const text = `${LONG}${A}${LONG}${A}${LONG}/nix/store/${B} and ${hashPart(B)}`;
  for (const size of SIZES) {
    const { a, b } = mentions(file(text), size);
    const [before, after] = [LONG.slice(-32), `-a${LONG.slice(0, 30)}`];
    assert.deepEqual(a, [{ file: '/', kind: 'contents', before, hash: hashPart(A), after }], `pieces of ${size}`);
    assert.equal(b.length, 1);
    assert.equal(b[0]!.after, `-b and ${hashPart(B)}`.slice(0, 32));
  }
});

test('margins end where the file does', () => {
  for (const size of SIZES) {
    const { a } = mentions(file(`x${A}`), size);
    assert.deepEqual(a, [{ file: '/', kind: 'contents', before: 'x', hash: hashPart(A), after: '-a' }]);
  }
});

test('files come in the order of the archive, with symlinks', () => {
  const tree = directory({
    bin: directory({ y: file(`${B}`), x: { type: 'symlink', target: `/nix/store/${A}/bin` } }),
    z: file(`${A}`),
    half: file(hashPart(A).slice(0, 31)),
    rest: file(hashPart(A).slice(31)),
  });
  for (const size of SIZES) {
    const { a, b } = mentions(tree, size);
    assert.deepEqual(
      a.map((each) => [each.file, each.kind, each.before, each.after]),
      [
        ['bin/x', 'target', '/nix/store/', '-a/bin'],
        ['z', 'contents', '', '-a'],
      ],
    );
    assert.deepEqual(
      b.map((each) => each.file),
      ['bin/y'],
    );
  }
});
