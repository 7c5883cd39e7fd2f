import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { FormatError, UsageError } from '../../src/errors.ts';
import { makeSettings } from '../../src/settings.ts';
import { openLocalStoreAt, openStore, openStoreOnce } from '../../src/stores/open-store.ts';

/** URIs, and what their stores call themselves. */
const OPENED = [
  ['memory:', 'memory://'],
  ['local?root=/tmp/chroot', 'local?root=/tmp/chroot'],
  ['/tmp/chroot', 'local?root=/tmp/chroot'],
  ['file:///tmp/a%20cache', 'file:///tmp/a%20cache'],
  ['file:///tmp/cache?compression=none&priority=3', 'file:///tmp/cache?compression=none&priority=3'],
  ['https://cache.example.org', 'https://cache.example.org'],
  ['http://user:secret@[::1]:8080/sub/?want-mass-query=1', 'http://[::1]:8080/sub/?want-mass-query=1'],
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
  ['file:///x?compression=lzip', 'a compression that cannot be written', "cannot compress with 'lzip'"],
  ['file:///x?compression-level=100', 'a level that the compression has not', "'xz' has no level 100"],
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

  test('but not from what is no URI', async () => {
    await assert.rejects(openStore('no store', makeSettings()), FormatError);
  });

  test('with a hint at what there is', async () => {
    const hintOf = (uri: string): Promise<unknown> => openStore(uri, makeSettings()).catch(({ hint }) => hint);
    assert.equal(await hintOf('gopher://host'), 'known: local, file, http, https, memory');
    assert.equal(
      await hintOf('file:///x?a=b'),
      'known: compression, compression-level, priority, secret-key, store, trusted, want-mass-query',
    );
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
