import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { Command } from 'commander';
import { addSettingsFlags, rewriteFlags } from '../../src/cli/settings-flags.ts';
import { UsageError } from '../../src/errors.ts';
import { parseSetting, SETTINGS, type Settings } from '../../src/settings.ts';

/** What the flags set, and what is left. */
function parse(...args: readonly string[]): { settings: Partial<Settings>; rest: readonly string[] } {
  const settings: Partial<Settings> = {};
  const program = new Command().exitOverride().argument('[rest...]');
  addSettingsFlags(
    program,
    (name, text) => Object.assign(settings, parseSetting(name, text, settings)),
    (name) => name === 'of-nix',
  );
  program.action(() => {}).parse(rewriteFlags(args), { from: 'user' });
  return { settings, rest: program.args };
}

const SPELLINGS = [
  [['--max-substitution-jobs', '32'], { maxSubstitutionJobs: 32 }],
  [['--max-substitution-jobs=32'], { maxSubstitutionJobs: 32 }],
  [['-j', '4'], { maxJobs: 4 }],
  [['--keep-going'], { keepGoing: true }],
  [['-k'], { keepGoing: true }],
  [['--no-keep-going'], { keepGoing: false }],
  [['-kK'], { keepGoing: true, keepFailed: true }],
  [['-Kkj4'], { keepFailed: true, keepGoing: true, maxJobs: 4 }],
  [['-K'], { keepFailed: true }],
  [['-j', 'auto'], { maxJobs: availableParallelism() }],
  [['--cores', '0', '--timeout', '60', '--max-silent-time=5'], { cores: 0, timeout: 60, maxSilentTime: 5 }],
  [['--fallback', '--builders', ''], { fallback: true, builders: '' }],
  [['--sandbox'], { sandbox: 'true' }],
  [['--no-sandbox'], { sandbox: 'false' }],
  [['--no-build-use-sandbox'], { sandbox: 'false' }],
  [['--relaxed-sandbox'], { sandbox: 'relaxed' }],
  [['--sandbox', 'relaxed'], { sandbox: 'relaxed' }],
  [['--sandbox=relaxed'], { sandbox: 'relaxed' }],
  [['--sandbox', 'no'], { sandbox: 'false' }],
  [['--option', 'sandbox', 'false'], { sandbox: 'false' }],
  [['--require-sigs', 'false'], { requireSigs: false }],
  [['--require-sigs=no'], { requireSigs: false }],
  [['--no-require-sigs'], { requireSigs: false }],
  [['--require-sigs'], { requireSigs: true }],
  [['--no-substitute'], { substitute: false }],
  [['--trusted-public-keys', 'a:b  c:d'], { trustedPublicKeys: ['a:b', 'c:d'] }],
  [['--substituters', ''], { substituters: [] }],
  [['--option', 'max-jobs', '8'], { maxJobs: 8 }],
  [['--option', 'require-sigs', 'false'], { requireSigs: false }],
  [['--option', 'substituters', 'https://a?x=1 https://b'], { substituters: ['https://a?x=1', 'https://b'] }],
  [['--max-jobs', '1', '--option', 'max-jobs', '2'], { maxJobs: 2 }],
  [['--option', 'max-jobs', '2', '--max-jobs', '1'], { maxJobs: 1 }],
  [['--option', 'build-max-jobs', '2'], { maxJobs: 2 }],
  [['--option', 'of-nix', 'x'], {}],
  [['--binary-caches', 'a'], { substituters: ['a'] }],
  [['--binary-caches=a'], { substituters: ['a'] }],
  [['--build-fallback'], { fallback: true }],
  [['--no-build-use-substitutes'], { substitute: false }],
  [['--substituters', 'a', '--extra-substituters', 'b', '--extra-binary-caches=c'], { substituters: ['a', 'b', 'c'] }],
  [['--option', 'substituters', 'a', '--option', 'extra-substituters', 'b a'], { substituters: ['a', 'b'] }],
] as const;

for (const [args, settings] of SPELLINGS) {
  test(`${args.join(' ')} sets ${JSON.stringify(settings)}`, () => {
    assert.deepEqual(parse(...args), { settings, rest: [] });
  });
}

const REJECTED = [
  [['--max-jobs', 'many'], /'max-jobs' wants a whole number/, 'a word for a number'],
  [['--require-sigs=maybe'], /'require-sigs' wants true or false/, 'what is neither true nor false'],
  [['--sandbox=maybe'], /'sandbox' wants true or false or relaxed, got 'maybe'/, 'what a sandbox cannot be'],
  [['--option', 'no-such', 'x'], /unknown setting 'no-such'/, 'an unknown setting'],
  [['--option', 'extra-max-jobs', '1'], /unknown setting 'extra-max-jobs'/, 'adding to what is no list'],
  [['--option', 'max-jobs'], /wants a name and a value/, '--option without a value'],
] as const;

for (const [args, message, what] of REJECTED) {
  test(`${what} is rejected`, () => {
    assert.throws(
      () => parse(...args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}

test('a path after a boolean flag is no value of it', () => {
  assert.deepEqual(parse('--keep-going', '/nix/store/x'), { settings: { keepGoing: true }, rest: ['/nix/store/x'] });
});

test('a derivation after --sandbox is no value of it', () => {
  assert.deepEqual(parse('--sandbox', '/nix/store/x.drv'), {
    settings: { sandbox: 'true' },
    rest: ['/nix/store/x.drv'],
  });
});

test('what follows -- is no flag', () => {
  assert.deepEqual(parse('--', '--keep-going', '-k'), { settings: {}, rest: ['--keep-going', '-k'] });
});

test('what only begins like a setting is left alone', () => {
  const args = ['--no-contents', '--no-check-sigs', '--keep-goings', '--no-'];
  assert.deepEqual(rewriteFlags(args), args);
});

test('every setting has a flag, with help', () => {
  const program = new Command();
  addSettingsFlags(program, () => {});
  for (const name of Object.keys(SETTINGS)) {
    assert.ok(program.options.find(({ long }) => long === `--${name}`)?.description, name);
  }
});
