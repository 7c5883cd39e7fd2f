import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { FormatError } from '../../src/errors.ts';
import { quoteShellWord, splitShellWords } from '../../src/formats/shell-words.ts';

/** After NixOS/nix 2.35, src/libutil-tests/strings.cc, shellSplitString, and its source. */
const SPLIT: readonly (readonly [text: string, words: readonly string[]])[] = [
  ['', []],
  [' \t ', []],
  ['-p 22  -oUser=me', ['-p', '22', '-oUser=me']],
  [`-i '/my key' "a b"c`, ['-i', '/my key', 'a bc']],
  [`'' ""`, ['', '']],
  [String.raw`a\ b \"c\' \\`, ['a b', `"c'`, '\\']],
  [String.raw`"\$ \q \" \\"`, [`$ \\q " \\`]],
  [String.raw`'\'`, ['\\']],
  [`"it's" 'say "x"'`, ["it's", 'say "x"']],
  ['$HOME *', ['$HOME', '*']],
];

for (const [text, words] of SPLIT) {
  test(`${text || 'nothing'} is ${words.length} words`, () => assert.deepEqual(splitShellWords(text), words));
}

for (const [text, offset] of [
  [`a 'b`, 2],
  [`"b`, 0],
  [String.raw`"b\"`, 0],
] as const) {
  test(`${text} is a quote that does not end`, () => {
    assert.throws(
      () => splitShellWords(text),
      (error) => error instanceof FormatError && error.offset === offset,
    );
  });
}

test('a quoted word is one to the shell, and to us', () => {
  for (const word of ['', 'a', 'local?root=/x', `it's`, '$(id)', 'two words', '-', 'a&b;c|d', '*', '~', '\n']) {
    const quoted = quoteShellWord(word);
    assert.equal(execFileSync('sh', ['-c', `printf %s ${quoted}`], { encoding: 'utf8' }), word);
    assert.deepEqual(splitShellWords(quoted), [word]);
  }
  assert.equal(quoteShellWord('nix-store'), 'nix-store');
});
