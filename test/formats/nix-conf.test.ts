import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../src/errors.ts';
import { parseNixConf } from '../../src/formats/nix-conf.ts';

const setting = (name: string, value: string, line = 1) => ({ kind: 'setting', name, value, line }) as const;
const include = (path: string, required: boolean, line = 1) => ({ kind: 'include', path, required, line }) as const;

/** As Nix 2.35 libutil/configuration.cc reads them. */
const READ = [
  ['', []],
  ['\n \t\r\n# nothing\n', []],
  ['a = b', [setting('a', 'b')]],
  ['a =', [setting('a', '')]],
  ['  a\t=  b   c \r\n', [setting('a', 'b c')]],
  ['a = b # = c', [setting('a', 'b')]],
  ['a = b#c', [setting('a', 'b')]],
  ['a = =', [setting('a', '=')]],
  ['a = 1\n\nb = 2', [setting('a', '1'), setting('b', '2', 3)]],
  ['a = b\u00a0c', [setting('a', 'b\u00a0c')]],
  ['include other.conf', [include('other.conf', true)]],
  ['a = 1\n!include /etc/x # why', [setting('a', '1'), include('/etc/x', false, 2)]],
] as const;

for (const [text, lines] of READ) {
  test(`nix.conf reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseNixConf(text, 'x'), lines));
}

const REJECTED = [
  ['a', "'NAME = VALUE'", 'a word alone'],
  ['a b', "'NAME = VALUE'", 'a value without ='],
  ['a=b', "'NAME = VALUE'", 'no space before ='],
  ['a =b', "'NAME = VALUE'", 'no space after ='],
  ['include', 'one file', 'an include of nothing'],
  ['!include a b', 'one file', 'an include of two files'],
  ['include = a', 'one file', 'a setting that is called include'],
] as const;

for (const [text, message, why] of REJECTED) {
  test(`nix.conf rejects ${why}, and says where it is`, () => {
    assert.throws(
      () => parseNixConf(`# first\n${text}\n`, '/etc/nix/nix.conf'),
      (error) =>
        error instanceof UsageError &&
        error.message.startsWith('/etc/nix/nix.conf:2: ') &&
        error.message.includes(message),
    );
  });
}

test('a line that is rejected is not shown, as there may be a password in it', () => {
  assert.throws(
    () => parseNixConf('access-tokens github.com=s3cret', 'x'),
    (error) => error instanceof Error && !error.message.includes('s3cret'),
  );
});
