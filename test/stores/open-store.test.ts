import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { FormatError, TransferError, UsageError } from '../../src/errors.ts';
import { parseBaseName } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import type { NarInfoCache } from '../../src/stores/narinfo-disk-cache.ts';
import { openLocalStoreAt, openStore, openStoreOnce } from '../../src/stores/open-store.ts';
import { serveFaults } from '../support/fault-server.ts';
import { makeScratch } from '../support/scratch.ts';

/** URIs, and what their stores call themselves. */
const OPENED = [
  ['memory:', 'memory://'],
  ['local?root=/tmp/chroot', 'local?root=/tmp/chroot'],
  ['/tmp/chroot', 'local?root=/tmp/chroot'],
  ['file:///tmp/a%20cache', 'file:///tmp/a%20cache'],
  ['file:///tmp/cache?compression=none&priority=3', 'file:///tmp/cache?compression=none&priority=3'],
  ['https://cache.example.org', 'https://cache.example.org'],
  ['http://user:secret@[::1]:8080/sub/?want-mass-query=1', 'http://[::1]:8080/sub/?want-mass-query=1'],
  ['s3://cache/nix?region=eu-west-2&compression=zstd', 's3://cache/nix?compression=zstd&region=eu-west-2'],
] as const;

const REJECTED = [
  ['gopher://host', 'an unknown scheme', "unknown kind of store 'gopher'"],
  [
    'https://user:secret@host?compresion=xz',
    'an unknown parameter',
    "store 'https://host?compresion=xz' has no parameter 'compresion'",
  ],
  ['memory:?compression=xz', 'a parameter of other stores', "has no parameter 'compression'"],
  ['file://relative/path', 'a relative path', 'names no directory'],
  ['https://', 'no host', 'names no host'],
  ['s3://cache?regoin=x', 'an unknown parameter of S3', "has no parameter 'regoin'"],
  ['s3://user:secret@cache', 'a password in place of credentials', 'names no bucket'],
  ['file:///x?compression=lzip', 'a compression that cannot be written', "cannot compress with 'lzip'"],
  ['file:///x?compression-level=100', 'a level that the compression has not', "'xz' has no level 100"],
  ['file:///x?retry-attempts=2', 'a parameter of caches behind HTTP', "has no parameter 'retry-attempts'"],
  ['https://host?connect-timeout=-1', 'a time that cannot be', "'connect-timeout' cannot be less than 0"],
  ['file:///x?priority=high', 'a word for a number', "'priority' wants a whole number, got 'high'"],
  ['file:///x?want-mass-query=maybe', 'neither yes nor no', "'want-mass-query' wants true or false, got 'maybe'"],
] as const;

describe('a store is opened', () => {
  for (const [uri, name] of OPENED) {
    test(`from ${uri}`, async () => {
      await using store = await openStore(uri, makeSettings());
      assert.equal(store.uri, name);
    });
  }

  for (const [uri, why, words] of REJECTED) {
    test(`but not with ${why}`, async () => {
      await assert.rejects(openStore(uri, makeSettings()), (error) => {
        return error instanceof UsageError && error.message.includes(words) && !error.message.includes('secret');
      });
    });
  }

  test('with settings of its own', async () => {
    await using scratch = await makeScratch();
    await using server = await serveFaults(scratch.path, () => ({ kind: 'status', status: 500 }));
    await using store = await openStore(`${server.url}?retry-attempts=3&retry-delay=0`, makeSettings());
    await assert.rejects(store.isValidPath(parseBaseName(`${'0'.repeat(32)}-x`)), TransferError);
    const narInfos = server.requests.filter(({ name }) => name.endsWith('.narinfo'));
    assert.equal(narInfos.length, 3);
  });

  test('but not from what is no URI', async () => {
    await assert.rejects(openStore('no store', makeSettings()), FormatError);
  });

  test('with a hint at what there is', async () => {
    const hintOf = (uri: string): Promise<unknown> => openStore(uri, makeSettings()).catch(({ hint }) => hint);
    assert.equal(
      await hintOf('gopher://host'),
      'known: local, file, http, https, s3, daemon, unix, ssh-ng, ssh, memory',
    );
    assert.equal(
      await hintOf('file:///x?a=b'),
      'known: compression, compression-level, priority, secret-key, store, trusted, want-mass-query',
    );
  });

  test('with what is remembered of its host, however it is spelled, and of no directory', async () => {
    const asked: string[] = [];
    const narInfoCache: NarInfoCache = {
      of: (url, storeDir) => {
        asked.push(`${url} ${storeDir}`);
        return {} as ReturnType<NarInfoCache['of']>;
      },
      [Symbol.dispose]: () => {},
    };
    for (const uri of [
      'https://cache.example.org',
      'https://user:secret@cache.example.org/?priority=3&trusted=true',
      'https://cache.example.org/sub?store=/my/store',
      'file:///tmp/cache',
      'memory:',
    ]) {
      await using _store = await openStore(uri, makeSettings(), { narInfoCache });
    }
    assert.deepEqual(asked, [
      'https://cache.example.org /nix/store',
      'https://cache.example.org /nix/store',
      'https://cache.example.org/sub /my/store',
    ]);
  });

  test('as a local store, where only such a one will do', async () => {
    assert.equal((await openLocalStoreAt('/tmp/chroot', makeSettings())).realStoreDir, '/tmp/chroot/nix/store');
    await assert.rejects(openLocalStoreAt('memory:', makeSettings()), UsageError);
  });

  test('once a thread, where that is asked for', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => openStoreOnce('memory:', makeSettings())));
    assert.equal(one, two);
    await assert.rejects(openStoreOnce('gopher://host', makeSettings()), UsageError);
    await assert.rejects(openStoreOnce('gopher://host', makeSettings()), UsageError);
  });

  test('from files without loading an HTTP client or a database', () => {
    const program = `
      const { openStore } = await import('./src/stores/open-store.ts');
      const { makeSettings } = await import('./src/settings.ts');
      await openStore('file:///nonexistent', makeSettings());
      const { createRequire } = await import('node:module');
      console.log(Object.keys(createRequire(import.meta.url).cache).join('\\n'));
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: new URL('../../', import.meta.url),
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
    assert.doesNotMatch(stdout, /undici|sqlite|koffi/);
  });
});
