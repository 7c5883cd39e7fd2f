import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../src/errors.ts';
import { findNetrcEntry, parseNetrc } from '../../src/formats/netrc.ts';

const entry = (machine: string | undefined, login?: string, password?: string): object => ({
  machine,
  login,
  password,
});

/** What curl makes of them: its documentation and tests/unit/unit1304.c. */
const FILES: readonly (readonly [what: string, text: string, entries: readonly object[]])[] = [
  ['nothing', '', []],
  ['one line', 'machine a.example login me password secret', [entry('a.example', 'me', 'secret')]],
  [
    'several lines, blanks of all kinds',
    'machine\ta.example\r\n  login me\r\n\r\n  password secret\nmachine b.example login you password other\n',
    [entry('a.example', 'me', 'secret'), entry('b.example', 'you', 'other')],
  ],
  ['another order', 'machine a password p login l', [entry('a', 'l', 'p')]],
  ['a default entry', 'default login anonymous password guest', [entry(undefined, 'anonymous', 'guest')]],
  ['keywords in any case', 'MACHINE A.Example LOGIN Me PASSWORD Secret', [entry('a.example', 'Me', 'Secret')]],
  [
    'quoted words',
    String.raw`machine a login "my name" password "a\"b\\c\td#e"`,
    [entry('a', 'my name', 'a"b\\c\td#e')],
  ],
  ['an empty password', 'machine a login me password ""', [entry('a', 'me', '')]],
  ['quotes and signs within a word', 'machine a login m"e password s#t', [entry('a', 'm"e', 's#t')]],
  ['comments', '# machine x\nmachine a # login nobody\nlogin me password p', [entry('a', 'me', 'p')]],
  ['a password like a keyword', 'machine a login password password login', [entry('a', 'password', 'login')]],
  ['an account', 'machine a account login login me password p', [entry('a', 'me', 'p')]],
  [
    'macros, which end with an empty line',
    'machine a login me password p\nmacdef init\nmachine x login y\ncd /pub\n\nmachine b login you password q',
    [entry('a', 'me', 'p'), entry('b', 'you', 'q')],
  ],
  ['a macro to the end', 'machine a login me password p\nmacdef init\nmachine x', [entry('a', 'me', 'p')]],
  ['words that are not known', 'hello machine a port 80 login me password p', [entry('a', 'me', 'p')]],
  ['a login of no machine', 'login me password p', []],
  ['a byte order mark', '\uFEFFmachine a login me', [entry('a', 'me')]],
];

const REJECTED: readonly (readonly [text: string, offset: number, why: string])[] = [
  ['machine a login "me password secret', 16, 'a quote that is not closed'],
  ['machine a login "me\\"', 16, 'a quote whose end is escaped'],
  ['machine é password', 19, 'a password that is missing'],
  ['machine', 7, 'a host that is missing'],
];

describe('a netrc file', () => {
  for (const [what, text, entries] of FILES) {
    test(`may hold ${what}`, () => assert.deepEqual(parseNetrc(text), entries));
  }

  for (const [text, offset, why] of REJECTED) {
    test(`is rejected for ${why}, without a word of it`, () => {
      assert.throws(
        () => parseNetrc(text),
        (error) => error instanceof FormatError && error.offset === offset && !/secret|me\b.*"/.test(error.message),
      );
    });
  }

  test('is read in time that grows with its length', () => {
    assert.deepEqual(parseNetrc(`macdef x${'\nmachine \t'.repeat(200_000)}`), []);
    assert.throws(() => parseNetrc(`machine a password "${'\\a'.repeat(200_000)}`), FormatError);
  });
});

describe('finding an entry', () => {
  const entries = parseNetrc(`
    machine a.example login me password one
    machine a.example login you password two
    machine b.example password three
    machine ::1 login local password four
    machine empty.example
    default login all password five
    machine late.example login never password found`);
  const found = (host: string, login?: string): string | undefined => findNetrcEntry(entries, host, login)?.password;

  test('takes the first for the host', () => assert.equal(found('a.example'), 'one'));
  test('does not mind case, a dot at the end, and brackets', () => {
    assert.equal(found('A.Example.'), 'one');
    assert.equal(found('[::1]'), 'four');
  });
  test('takes the one for the login that is known', () => {
    assert.equal(found('a.example', 'you'), 'two');
    assert.equal(found('b.example', 'anyone'), 'three');
    assert.equal(found('a.example', 'all'), 'five');
    assert.equal(found('a.example', 'nobody'), undefined);
  });
  test('takes the one for all hosts, before any that come later', () => {
    assert.equal(found('sub.a.example'), 'five');
    assert.equal(found('late.example'), 'five');
    assert.equal(found('empty.example'), 'five');
  });
});
