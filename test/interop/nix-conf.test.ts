/** What stock Nix makes of configuration files, and what Sluice makes of the same: setting by setting. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { findSetting, type SettingName } from '../../src/settings.ts';
import { runCli } from '../support/cli.ts';
import { nixMissing } from '../support/nix.ts';
import { type RunResult, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

interface Case {
  /** Texts by path, in which `$` stands for the directory. */
  readonly files?: Readonly<Record<string, string>>;
  /** `$` is the directory here as well. NIX_CONF_DIR is `$/etc`. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
}

/** No value is a default of either: some of those differ on purpose. */
const READ: Readonly<Record<string, Case>> = {
  'nothing at all': {},
  'a nix.conf as installers write it': {
    files: {
      'etc/nix.conf':
        'build-users-group = nixbld\nexperimental-features = nix-command flakes\nmax-jobs = auto\ncores = 3\n' +
        'sandbox = relaxed\ntrusted-users = root @wheel\nsubstituters = https://a.example https://b.example?priority=1\n' +
        'extra-trusted-public-keys = a.example-1:KEY= # mine\nsystem-features = kvm\nnix-path = x=/y\n',
    },
  },
  'a value of every kind, spaces and comments': {
    files: {
      'etc/nix.conf':
        '# all\n\n  connect-timeout\t=  7  # seconds\r\nfallback = yes\nfsync-metadata = 0\nuser-agent-suffix =  a   b #c\n' +
        'secret-key-files = /a\t/b  /c\ntrusted-substituters = https://z https://y\nnetrc-file = /x/netrc\nhttp2 = no\n',
    },
  },
  'old names': {
    files: {
      'etc/nix.conf':
        'binary-caches = https://a https://b\nbinary-cache-public-keys = k:1\ntrusted-binary-caches = https://c\n' +
        'binary-caches-parallel-connections = 9\nbuild-max-jobs = 8\nbuild-fallback = true\n' +
        'build-use-substitutes = false\ndownload-attempts = 7\n',
    },
  },
  'old names and new ones, where the last counts': {
    files: {
      'etc/nix.conf':
        'substituters = https://a\nbinary-caches = https://b\nextra-binary-caches = https://c\n' +
        'extra-substituters = https://d\nbuild-max-jobs = 8\nmax-jobs = 9\n',
    },
  },
  'lists that are added to, with what is there already': {
    files: { 'etc/nix.conf': 'extra-substituters = https://a https://b\nextra-substituters = https://c https://a\n' },
    environment: { NIX_CONFIG: 'extra-trusted-public-keys = k:1\nextra-secret-key-files = /k' },
  },
  'an empty list and an empty text': {
    files: { 'etc/nix.conf': 'substituters =\ntrusted-public-keys = \nuser-agent-suffix =\n' },
  },
  'files that include others, there and missing': {
    files: {
      'etc/nix.conf':
        'max-jobs = 3\ninclude conf.d/one.conf\n!include $/two.conf\n!include missing.conf\nconnect-timeout = 9\n',
      'etc/conf.d/one.conf': 'max-jobs = 4\nconnect-timeout = 8\ninclude ../../three.conf\n',
      'two.conf': 'stalled-download-timeout = 11\nextra-substituters = https://two\n',
      'three.conf': 'http-connections = 12\nextra-substituters = https://three\n',
    },
  },
  'files of the user, which come in reverse': {
    files: {
      'etc/nix.conf': 'max-jobs = 3\nconnect-timeout = 3\nhttp-connections = 3\nextra-substituters = https://etc\n',
      one: 'connect-timeout = 4\nextra-substituters = https://one\n',
      two: 'connect-timeout = 5\nhttp-connections = 5\nextra-substituters = https://two\n',
    },
    environment: { NIX_USER_CONF_FILES: '$/one:$/missing:$/two' },
  },
  'what XDG says': {
    files: {
      'home/nix/nix.conf': 'max-jobs = 4\nextra-substituters = https://home\n',
      'a/nix/nix.conf': 'max-jobs = 5\nconnect-timeout = 5\nextra-substituters = https://a\n',
      'b/nix/nix.conf': 'connect-timeout = 6\nhttp-connections = 6\nextra-substituters = https://b\n',
    },
    environment: { XDG_CONFIG_HOME: '$/home', XDG_CONFIG_DIRS: '$/a:$/b' },
  },
  'the home directory': {
    files: { '.config/nix/nix.conf': 'max-jobs = 4\n' },
    environment: { XDG_CONFIG_DIRS: '$/none' },
  },
  'NIX_CONFIG on top of files, flags on top of NIX_CONFIG': {
    files: {
      'etc/nix.conf': 'max-jobs = 3\nconnect-timeout = 3\nhttp-connections = 3\nkeep-going = true\n',
      'more.conf': 'narinfo-cache-negative-ttl = 5\n',
    },
    environment: {
      NIX_CONFIG: 'connect-timeout = 4\nhttp-connections = 4\ninclude $/more.conf',
      NIX_USER_CONF_FILES: '',
    },
    flags: ['--http-connections', '5', '--no-require-sigs', '--extra-substituters', 'https://flag', '--max-jobs', '6'],
  },
  'options, with old names and extra-': {
    environment: { NIX_CONFIG: 'substituters = https://a' },
    flags: [
      'extra-substituters',
      'https://b',
      'binary-caches-parallel-connections',
      '5',
      'sandbox',
      'false',
      'fallback',
      'true',
    ].flatMap((word, index) => (index % 2 === 0 ? ['--option', word] : [word])),
  },
  'what is unknown': {
    files: { 'etc/nix.conf': 'frob = 1\nmax-jobs = 3\nextra-max-jobs = 4\nfrob = 2\n' },
  },
};

const REJECTED: Readonly<Record<string, string>> = {
  'a word alone': 'max-jobs\n',
  'no spaces around =': 'max-jobs=3\n',
  'an include that is missing': 'include missing\n',
  'an include of two files': 'include a b\n',
  'a word for a number': 'max-jobs = many\n',
  'a negative number of connections': 'http-connections = -x\n',
  'what is neither true nor false': 'fallback = maybe\n',
  'an empty truth': 'fallback =\n',
};

/** Without it Nix 2.8 shows nothing. */
const CAN_SHOW = ['--extra-experimental-features', 'nix-command'];

interface Shown {
  readonly nix: RunResult;
  readonly sluice: Omit<RunResult, 'code'> & { readonly code: number };
}

/** What both print of their configuration. */
async function show({ files = {}, environment = {}, flags = [] }: Case): Promise<Shown> {
  await using scratch = await makeScratch();
  const directory = scratch.path;
  const here = (text: string): string => text.replaceAll('$', directory);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), here(text));
  }
  const ofUser = Object.keys(environment).some((name) => name.startsWith('XDG_')) ? {} : { NIX_USER_CONF_FILES: '' };
  const given = Object.entries({ HOME: '$', NIX_CONF_DIR: '$/etc', ...ofUser, ...environment });
  const variables: Record<string, string> = Object.fromEntries(given.map(([name, text]) => [name, here(text)]));
  const unset = { NIX_USER_CONF_FILES: undefined, NIX_CONFIG: undefined, XDG_CONFIG_HOME: undefined };
  const env = { ...unset, XDG_CACHE_HOME: directory, NIX_REMOTE: `local?root=${directory}`, ...variables };
  const [nix, sluice] = await Promise.all([
    run('nix', ['show-config', '--json', ...flags, ...CAN_SHOW], { env }),
    runCli(['config', 'show', '--json', ...flags], { environment: variables }),
  ]);
  return { nix, sluice };
}

interface Setting {
  readonly value: unknown;
  readonly defaultValue: unknown;
}

/** Values that Nix gives its settings itself, although their defaults are others. */
const OWN_VALUES: Readonly<Record<string, unknown>> = { 'build-users-group': 'nixbld' };

/** What has been changed, by the name of today. Lists without what is there twice; those that Nix sorts, sorted. */
function changes(json: string): Record<string, unknown> {
  const settings = Object.entries(JSON.parse(json) as Record<string, Setting>);
  const known = settings.flatMap(([name, setting]) => {
    const use = findSetting(name);
    return use === undefined ? [] : [[use.name, setting] as const];
  });
  return Object.fromEntries(
    known
      .map(([name, { value, defaultValue }]) => [name, tidy(name, value), tidy(name, defaultValue)] as const)
      .filter(([, value, defaultValue]) => JSON.stringify(value) !== JSON.stringify(defaultValue))
      .filter(([name, value]) => value !== OWN_VALUES[name])
      .map(([name, value]) => [name, value]),
  );
}

function tidy(name: SettingName, value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return name === 'trusted-substituters' ? value.toSorted() : [...new Set(value)];
}

for (const [what, given] of Object.entries(READ)) {
  test(`both read the same: ${what}`, { skip: nixMissing }, async () => {
    const { nix, sluice } = await show(given);
    assert.deepEqual([nix.code, sluice.code], [0, 0], nix.stderr + sluice.stderr);
    assert.deepEqual(changes(sluice.stdout), changes(nix.stdout));
    assert.deepEqual(warnings(sluice.stderr), warnings(nix.stderr));
  });
}

for (const [what, text] of Object.entries(REJECTED)) {
  test(`both reject ${what}`, { skip: nixMissing }, async () => {
    const { nix, sluice } = await show({ files: { 'etc/nix.conf': text } });
    assert.notEqual(nix.code, 0);
    assert.equal(sluice.code, 1);
    assert.match(sluice.stderr, /^error: \/.*\/etc\/nix\.conf:1: /);
  });
}

function warnings(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('warning: '))
    .sort();
}
