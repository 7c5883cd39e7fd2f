import assert from 'node:assert/strict';
import { mkdtempDisposable, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  FormatError,
  HashMismatchError,
  InvalidPathError,
  StoreError,
  SubstituteGoneError,
  TransferError,
} from '../../src/errors.ts';
import { parseNarInfo } from '../../src/formats/narinfo.ts';
import { fingerprint } from '../../src/formats/path-info.ts';
import {
  makeSecretKey,
  printPublicKey,
  printSecretKey,
  publicKeyMap,
  publicKeyOf,
  verifySignature,
} from '../../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, hashPart, parseStoreDir, printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { BinaryCacheStore } from '../../src/stores/binary-cache-store.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { serveFaults } from '../support/fault-server.ts';
import { type Misbehave, serveCache } from '../support/http-cache.ts';
import { add, collect, comparable, makeBuiltObject, makeObject, narSource, readNar } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';
import { conforms } from './conformance.ts';

const LEAF = makeObject('leaf', file('hello'.repeat(10_000)));
const USER = makeObject('user', file('uses leaf'), { references: [LEAF.info.path] });
/** How every zstd file begins: no decoder complains yet. */
const ZSTD_MAGIC = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd]);
const NARINFO = `${hashPart(LEAF.info.path)}.narinfo`;

async function openCache(uri: string, settings: Partial<Settings> = {}): Promise<BinaryCacheStore> {
  const store = await openStore(uri, makeSettings(settings));
  assert.ok(store instanceof BinaryCacheStore);
  return store;
}

async function temporary(): Promise<{ readonly dir: string } & AsyncDisposable> {
  const { path: dir, [Symbol.asyncDispose]: dispose } = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
  return { dir, [Symbol.asyncDispose]: dispose };
}

for (const params of ['none', 'zstd', 'gzip', 'xz&compression-level=0', 'br&compression-level=1']) {
  conforms(`a binary cache of files, ${params}`, (dir) => openCache(`file://${dir}?compression=${params}`));
}

conforms('a binary cache behind HTTP', async (dir, resources) => {
  const writer = resources.use(await openCache(`file://${dir}?compression=zstd`));
  await add(writer); // nothing yet
  await writeFile(join(dir, 'nix-cache-info'), 'StoreDir: /nix/store\n');
  const server = resources.use(await serveCache(dir));
  // What the writer writes is to be seen at once.
  return { store: resources.use(await openCache(server.url, { narinfoCacheNegativeTtl: 0 })), writer };
});

conforms('a binary cache behind HTTP that takes uploads', async (dir, resources) => {
  const server = resources.use(await serveFaults(dir));
  const store = resources.use(await openCache(`${server.url}?compression=zstd`));
  await store.prepareToWrite(); // before that there is no cache to ask
  return store;
});

describe('a binary cache, written', () => {
  test('has the files that stock Nix makes', async () => {
    await using cache = await temporary();
    const store = await openCache(`file://${cache.dir}`);
    await add(store, LEAF);
    // As Nix 2.8 writes it.
    assert.equal(await readFile(join(cache.dir, 'nix-cache-info'), 'utf8'), 'StoreDir: /nix/store\n');
    const info = parseNarInfo(DEFAULT_STORE_DIR, await readFile(join(cache.dir, NARINFO), 'utf8'));
    assert.equal(info.compression, 'xz');
    assert.match(info.url, /^nar\/[0-9a-z]{52}\.nar\.xz$/);
    assert.equal((await readFile(join(cache.dir, info.url))).length, info.fileSize);
    assert.deepEqual((await readdir(cache.dir)).sort(), [NARINFO, 'nar', 'nix-cache-info'].sort());
  });

  test('says what its URI says', async () => {
    await using cache = await temporary();
    const uri = `file://${cache.dir}?priority=10&store=/my/store&want-mass-query=true`;
    const store = await openCache(uri);
    await add(store, makeObject('x', file(''), { storeDir: parseStoreDir('/my/store') }));
    const text = await readFile(join(cache.dir, 'nix-cache-info'), 'utf8');
    assert.equal(text, 'StoreDir: /my/store\nWantMassQuery: 1\nPriority: 10\n');
    assert.equal(store.uri, uri);
    const again = await openCache(`file://${cache.dir}?store=/my/store`);
    assert.deepEqual(await again.queryCacheInfo(), { storeDir: '/my/store', wantMassQuery: true, priority: 10 });
  });

  test('is signed with the key of its URI and with those of the settings', async () => {
    await using cache = await temporary();
    const keys = await Promise.all(
      ['a-1', 'b-1'].map((name, index) => makeSecretKey(name, new Uint8Array(32).fill(index))),
    );
    const files = keys.map(({ name }) => join(cache.dir, name));
    await Promise.all(keys.map((key, index) => writeFile(files[index]!, printSecretKey(key))));
    const store = await openCache(`file://${cache.dir}/cache?secret-key=${files[0]}`, { secretKeyFiles: [files[1]!] });
    await add(store, LEAF);
    const info = await (await openCache(`file://${cache.dir}/cache`)).queryPathInfo(LEAF.info.path);
    const trusted = publicKeyMap(keys.map(publicKeyOf).map(printPublicKey));
    const text = fingerprint(DEFAULT_STORE_DIR, LEAF.info);
    assert.deepEqual(
      info!.signatures.map((signature) => signature.split(':')[0]),
      ['a-1', 'b-1'],
    );
    for (const signature of info!.signatures) assert.ok(await verifySignature(text, signature, trusted));
  });

  test('keeps the signatures that were there', async () => {
    await using cache = await temporary();
    const built = await makeBuiltObject('built', file('x'));
    const store = await openCache(`file://${cache.dir}`);
    await add(store, built);
    assert.deepEqual(comparable(await store.queryPathInfo(built.info.path)), comparable(built.info));
  });

  test('in two halves is valid after the second', async () => {
    await using cache = await temporary();
    const [worker, main] = [await openCache(`file://${cache.dir}`), await openCache(`file://${cache.dir}`)];
    const narInfo = await worker.writeNar(LEAF.info, narSource(LEAF.nar));
    assert.equal(await main.isValidPath(LEAF.info.path), false);
    await main.writeNarInfo(narInfo);
    assert.ok((await readNar(main, LEAF.info.path)).equals(LEAF.nar));
  });

  test('compresses two NARs at once, however many are to be written', async () => {
    await using cache = await temporary();
    const store = await openCache(`file://${cache.dir}`);
    let open = 0;
    let most = 0;
    const written = Array.from({ length: 5 }, () =>
      store.writeNar(LEAF.info, async (sink) => {
        most = Math.max(most, ++open);
        await new Promise(setImmediate);
        await narSource(LEAF.nar)(sink);
        open--;
      }),
    );
    await Promise.all(written);
    assert.equal(most, 2);
  });

  test('does not announce a path before its references', async () => {
    await using cache = await temporary();
    const store = await openCache(`file://${cache.dir}`);
    const narInfo = await store.writeNar(USER.info, narSource(USER.nar));
    await assert.rejects(store.writeNarInfo(narInfo), InvalidPathError);
    await add(store, LEAF);
    await store.writeNarInfo(narInfo);
  });

  test('behind HTTP says where it does not take uploads', async () => {
    await using cache = await temporary();
    await using server = await serveCache(cache.dir, (_, { method }) => (method === 'PUT' ? { status: 405 } : {}));
    await using store = await openCache(server.url);
    await assert.rejects(
      add(store, LEAF),
      (error) => error instanceof TransferError && error.hint === 'the cache takes no uploads',
    );
  });

  test('says which secret key file is missing', async () => {
    await using cache = await temporary();
    const store = await openCache(`file://${cache.dir}?secret-key=/no/such/key`);
    await assert.rejects(
      add(store, LEAF),
      (error) => error instanceof StoreError && error.message.includes('/no/such/key'),
    );
  });
});

describe('a binary cache, read', () => {
  /** A cache that holds LEAF and USER, behind HTTP, and the file it is in. */
  async function setUp(misbehave?: Misbehave) {
    await using resources = new AsyncDisposableStack();
    const { dir } = resources.use(await temporary());
    await add(resources.use(await openCache(`file://${dir}?compression=zstd`)), LEAF, USER);
    const server = resources.use(await serveCache(dir, misbehave));
    const store = resources.use(await openCache(server.url));
    const held = resources.move();
    return { dir, server, store, [Symbol.asyncDispose]: () => held.disposeAsync() };
  }

  test('is not asked for anything by being opened', async () => {
    await using cache = await setUp();
    assert.deepEqual(cache.server.requests, []);
  });

  test('is asked once for the same path', async () => {
    await using cache = await setUp();
    await Promise.all([1, 2, 3].map(() => cache.store.queryPathInfo(LEAF.info.path)));
    await cache.store.isValidPath(LEAF.info.path);
    assert.deepEqual(cache.server.requests.sort(), [NARINFO, 'nix-cache-info'].sort());
  });

  test('is asked again for a path that it did not have only where that is wanted', async () => {
    let missing = true;
    await using cache = await setUp((name) => (name === NARINFO && missing ? { status: 404 } : undefined));
    assert.equal(await cache.store.isValidPath(LEAF.info.path), false);
    missing = false;
    assert.equal(await cache.store.isValidPath(LEAF.info.path), false);
    assert.ok(await cache.store.queryPathInfo(LEAF.info.path, { maxNegativeAge: 0 }));
  });

  test('is asked again for a path of which it said something wrong', async () => {
    await using cache = await setUp();
    await cache.store.queryPathInfo(LEAF.info.path);
    assert.equal(cache.store.forget(LEAF.info.path), false); // it was asked just now
    await cache.store.queryPathInfo(LEAF.info.path);
    assert.equal(cache.server.requests.filter((name) => name === NARINFO).length, 2);
  });

  test('says without being asked what its URI says, and what it has said before', async () => {
    await using cache = await setUp();
    assert.equal(await cache.store.knownCacheInfo(), undefined);
    await using named = await openCache(`${cache.server.url}?priority=7`);
    assert.equal((await named.knownCacheInfo())?.priority, 7);
    assert.deepEqual(cache.server.requests, []);
    const info = await cache.store.queryCacheInfo();
    assert.deepEqual(await cache.store.knownCacheInfo(), info);
  });

  test('of another store directory is an error that names both', async () => {
    await using cache = await setUp();
    await writeFile(join(cache.dir, 'nix-cache-info'), 'StoreDir: /my/store\n');
    await assert.rejects(cache.store.queryPathInfo(LEAF.info.path), (error) => {
      return (
        error instanceof StoreError && error.message.includes("'/my/store'") && error.message.includes("'/nix/store'")
      );
    });
  });

  test('that is none is an error, and asked again the next time', async () => {
    let status: number | undefined = 404;
    await using cache = await setUp((name) => (name === 'nix-cache-info' && status ? { status } : undefined));
    await assert.rejects(cache.store.queryPathInfo(LEAF.info.path), /is no binary cache: it has no nix-cache-info/);
    status = undefined;
    assert.ok(await cache.store.queryPathInfo(LEAF.info.path));
  });

  test('that answers for another path is an error that names both', async () => {
    await using cache = await setUp();
    await writeFile(join(cache.dir, NARINFO), await readFile(join(cache.dir, `${hashPart(USER.info.path)}.narinfo`)));
    await assert.rejects(cache.store.queryPathInfo(LEAF.info.path), (error) => {
      const named = [LEAF, USER].map(({ info }) => printStorePath(DEFAULT_STORE_DIR, info.path));
      return error instanceof FormatError && named.every((path) => error.message.includes(path));
    });
  });

  test('with a malformed narinfo is an error that names the file and the cache', async () => {
    await using cache = await setUp();
    await writeFile(join(cache.dir, NARINFO), 'StorePath: x\n');
    await assert.rejects(cache.store.queryPathInfo(LEAF.info.path), (error) => {
      return (
        error instanceof FormatError && error.message.startsWith(`invalid ${NARINFO} in '${cache.server.url}' at byte `)
      );
    });
  });

  for (const [what, misbehaviour, errorClass, words] of [
    ['is gone', { status: 404 }, SubstituteGoneError, 'is gone'],
    ['does not come', { status: 500 }, TransferError, 'status 500'],
    ['is cut off', { truncate: 20 }, TransferError, 'cannot fetch'],
    ['is shorter than announced', { body: ZSTD_MAGIC }, HashMismatchError, 'got 4 bytes'],
    ['is longer than announced', { body: new Uint8Array(50_000) }, HashMismatchError, 'got 50000 bytes'],
  ] as const) {
    test(`whose NAR ${what} is an error that names the path and the cache`, async () => {
      await using cache = await setUp((name) => (name.startsWith('nar/') ? misbehaviour : undefined));
      await assert.rejects(readNar(cache.store, LEAF.info.path), (error) => {
        assert.ok(error instanceof errorClass, String(error));
        const named = [printStorePath(DEFAULT_STORE_DIR, LEAF.info.path), cache.server.url, words];
        for (const word of named) assert.ok(error.message.includes(word), `${word} in ${error.message}`);
        return true;
      });
    });
  }

  test('is asked again for a path whose NAR is gone', async () => {
    await using cache = await setUp((name) => (name.startsWith('nar/') ? { status: 404 } : undefined));
    for (let count = 0; count < 2; count++)
      await assert.rejects(readNar(cache.store, LEAF.info.path), SubstituteGoneError);
    assert.equal(cache.server.requests.filter((name) => name === NARINFO).length, 2);
  });

  test('whose NAR is corrupt is an error that names the path and the cache', async () => {
    await using cache = await setUp();
    const info = (await cache.store.queryPathInfo(LEAF.info.path))!;
    await writeFile(join(cache.dir, info.url), new Uint8Array(info.fileSize!));
    await assert.rejects(readNar(cache.store, LEAF.info.path), (error) => {
      const path = printStorePath(DEFAULT_STORE_DIR, LEAF.info.path);
      const start = `invalid zstd file of '${path}' in binary cache '${cache.server.url}' at byte `;
      return error instanceof FormatError && error.message.startsWith(start);
    });
  });

  test('whose compression is not known is an error that says which are', async () => {
    await using cache = await setUp();
    const text = await readFile(join(cache.dir, NARINFO), 'utf8');
    await writeFile(join(cache.dir, NARINFO), text.replace('zstd', 'lzip'));
    await assert.rejects(readNar(cache.store, LEAF.info.path), /unknown compression 'lzip'/);
  });

  test('tells how many bytes have come', async () => {
    await using cache = await setUp();
    const info = (await cache.store.queryPathInfo(LEAF.info.path))!;
    let downloaded = 0;
    const onDownload = (count: number): void => {
      downloaded += count;
    };
    await collect((sink) => cache.store.narFromPath(info, sink, { onDownload }));
    assert.equal(downloaded, info.fileSize);
  });
});
