import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../src/errors.ts';
import { type NixConf, readConfiguration, readNixConf } from '../../src/nix-conf/read-nix-conf.ts';
import { makeSettings } from '../../src/settings.ts';
import { makeScratch } from '../support/scratch.ts';

interface Given {
  /** Texts by path below the directory of the system's configuration. */
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: (directory: string) => Readonly<Record<string, string>>;
}

/** What is read of these files, in which `$` stands for their directory. */
async function read<T>(given: Given, use: (conf: NixConf, directory: string) => T): Promise<T> {
  await using scratch = await makeScratch();
  const { path: directory } = scratch;
  for (const [name, text] of Object.entries(given.files ?? {})) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text.replaceAll('$', directory));
  }
  const environment = { NIX_CONF_DIR: directory, NIX_USER_CONF_FILES: '', ...given.environment?.(directory) };
  return use(readConfiguration(environment), directory);
}

function rejects(given: Given, message: RegExp): Promise<void> {
  return assert.rejects(
    read(given, () => {}),
    (error) => error instanceof UsageError && message.test(error.message),
  );
}

test('without any file there are the defaults, and the netrc file is beside the configuration', async () => {
  await read({}, ({ configuration, warnings }, directory) => {
    assert.deepEqual(configuration.settings, makeSettings({ netrcFile: `${directory}/netrc` }));
    assert.deepEqual(warnings, []);
  });
});

test('user files count more than that of the system, and NIX_CONFIG more than both', async () => {
  const given: Given = {
    files: {
      'nix.conf': 'max-jobs = 2\nconnect-timeout = 2\nhttp-connections = 2\nstalled-download-timeout = 2\n',
      less: 'connect-timeout = 3\nhttp-connections = 3\nstalled-download-timeout = 3\n',
      more: 'http-connections = 4\nstalled-download-timeout = 4\n',
    },
    environment: (directory) => ({
      NIX_USER_CONF_FILES: `${directory}/more:${directory}/missing:${directory}/less`,
      NIX_CONFIG: '\nstalled-download-timeout = 5',
    }),
  };
  await read(given, ({ configuration }, directory) => {
    const { maxJobs, connectTimeout, httpConnections, stalledDownloadTimeout } = configuration.settings;
    assert.deepEqual([maxJobs, connectTimeout, httpConnections, stalledDownloadTimeout], [2, 3, 4, 5]);
    assert.deepEqual(configuration.resolve('connect-timeout').origins, [`${directory}/less:1`]);
    assert.deepEqual(configuration.resolve('stalled-download-timeout').origins, ['NIX_CONFIG:2']);
  });
});

test('an included file counts where it is included, and is found beside the file that includes it', async () => {
  const files = {
    'nix.conf': 'max-jobs = 2\nconnect-timeout = 2\ninclude more/a.conf\nconnect-timeout = 4\n!include missing',
    'more/a.conf': 'max-jobs = 3\nconnect-timeout = 3\ninclude b.conf',
    'more/b.conf': 'include $/c.conf',
    'c.conf': 'http-connections = 7',
  };
  await read({ files }, ({ configuration, warnings }, directory) => {
    const { maxJobs, connectTimeout, httpConnections } = configuration.settings;
    assert.deepEqual([maxJobs, connectTimeout, httpConnections], [3, 4, 7]);
    assert.deepEqual(configuration.resolve('max-jobs').origins, [`${directory}/more/a.conf:1`]);
    assert.deepEqual(warnings, []);
  });
});

test('extra- adds to the list that is there, across files, and nothing is there twice', async () => {
  const given: Given = {
    files: { 'nix.conf': 'extra-substituters = a b' },
    environment: () => ({ NIX_CONFIG: 'extra-binary-caches = b c\nextra-substituters = a d' }),
  };
  await read(given, ({ configuration }) => {
    assert.deepEqual(configuration.settings.substituters, ['https://cache.nixos.org/', 'a', 'b', 'c', 'd']);
  });
});

test('an old name overwrites as the new one does', async () => {
  await read({ files: { 'nix.conf': 'substituters = a\nbinary-caches = b\n' } }, ({ configuration }) => {
    assert.deepEqual(configuration.settings.substituters, ['b']);
  });
});

test('unknown settings are told of once each, those of Nix not at all', async () => {
  const files = {
    'nix.conf':
      'frob = 1\nsandbox = false\nfrob = 2\nextra-max-jobs = 3\nexperimental-features = flakes\n\u001b[2J = 1\n',
  };
  await read({ files }, ({ warnings }) => {
    assert.deepEqual(warnings, [
      "unknown setting 'frob'",
      "unknown setting 'extra-max-jobs'",
      "unknown setting '\\u{1b}[2J'",
    ]);
  });
});

test('the file with certificates comes from the environment, until a file names another', async () => {
  const environment = (): Record<string, string> => ({ SSL_CERT_FILE: '/certificates' });
  await read({ environment }, ({ configuration }) => {
    assert.equal(configuration.settings.sslCertFile, '/certificates');
    assert.deepEqual(configuration.resolve('ssl-cert-file').origins, ['SSL_CERT_FILE']);
  });
  await read({ environment, files: { 'nix.conf': 'ssl-cert-file = /mine' } }, ({ configuration }) => {
    assert.equal(configuration.settings.sslCertFile, '/mine');
  });
});

test('a file that cannot be read is told of, where it is not one that may be missing', async () => {
  const files = { 'nix.conf': 'include directory\n!include directory\nmax-jobs = 3', 'directory/x': '' };
  await read({ files }, ({ configuration, warnings }, directory) => {
    assert.deepEqual(warnings, [
      `cannot read configuration file '${directory}/directory': illegal operation on a directory`,
    ]);
    assert.equal(configuration.settings.maxJobs, 3);
  });
});

test('a value of the wrong kind is rejected, with file and line', async () => {
  const files = { 'nix.conf': 'include other', other: '\nmax-jobs = many\n' };
  await rejects({ files }, /^\/.*\/other:2: setting 'max-jobs' wants a whole number, got 'many'$/);
  await rejects({ environment: () => ({ NIX_CONFIG: 'fallback =' }) }, /^NIX_CONFIG:1: setting 'fallback' wants true/);
});

test('a file that is to be included and is not there is an error, with file and line', async () => {
  await rejects(
    { files: { 'nix.conf': '\ninclude missing' } },
    /nix\.conf:2: there is no file '\/.*\/missing' to include$/,
  );
  const files = { 'nix.conf': '!include other', other: 'include missing' };
  await rejects({ files }, /other:1: there is no file/);
});

test('files include one another up to a depth, and none includes itself', async () => {
  const chain = (length: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length }, (_, index) => [`${index}`, `include ${index + 1}`]));
  const files = { ...chain(16), 'nix.conf': 'include 1', 16: 'max-jobs = 3' };
  await read({ files }, ({ configuration }) => assert.equal(configuration.settings.maxJobs, 3));
  await rejects({ files: { ...files, 'nix.conf': 'include 0' } }, /15:1: includes are nested more than 16 deep/);
  await rejects({ files: { 'nix.conf': 'include nix.conf' } }, /nix\.conf:1: includes are nested more than 16 deep/);
});

test('files that are too large are an error, alone and together', async () => {
  await rejects({ files: { 'nix.conf': `# ${'x'.repeat(2 ** 20)}` } }, /nix\.conf: .* more than 1048576 bytes/);
  const files = { 'nix.conf': 'include b\n'.repeat(20), b: `# ${'x'.repeat(60_000)}` };
  await rejects({ files }, /b: configuration files have more than 1048576 bytes/);
  await rejects({ environment: () => ({ NIX_CONFIG: '#'.repeat(2 ** 20 + 1) }) }, /^NIX_CONFIG: .* more than/);
});

test('a program is given the settings that hold, and what its user should know', async () => {
  await using scratch = await makeScratch();
  await writeFile(join(scratch.path, 'nix.conf'), 'max-jobs = 3\nfrob = 1');
  const { settings, warnings } = readNixConf({ NIX_CONF_DIR: scratch.path, NIX_USER_CONF_FILES: '' });
  assert.deepEqual(settings, makeSettings({ maxJobs: 3, netrcFile: join(scratch.path, 'netrc') }));
  assert.deepEqual(warnings, ["unknown setting 'frob'"]);
});
