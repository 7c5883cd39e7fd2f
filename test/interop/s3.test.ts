/** Caches in a real S3 server, OpenStack Swift: written and read with signed requests, and compared with stock Nix. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { glob, readFile } from 'node:fs/promises';
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeSettings } from '../../src/settings.ts';
import type { BinaryCacheStore } from '../../src/stores/binary-cache-store.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { conforms } from '../stores/conformance.ts';
import { type Corpus, makeCorpus } from '../support/corpus.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { lines, type RunResult, sluice } from '../support/run.ts';
import { ANONYMOUS, credentials, needsS3, S3Server, STRANGER, WRITER } from '../support/s3-server.ts';
import { makeScratch, type Scratch } from '../support/scratch.ts';
import { smallCache } from '../support/small-cache.ts';
import { add, makeObject, readNar } from '../support/store-objects.ts';
import { makeSyntheticObjects } from '../support/synthetic-corpus.ts';
import { file } from '../support/trees.ts';

/** More than two parts of 5 MiB. */
const LARGE = makeObject('large', file('x'.repeat(12_000_000)));
const MULTIPART = { compression: 'none', 'multipart-upload': 'true', 'multipart-threshold': '5242880' };

async function prepare(nix: Nix, directory: string): Promise<Corpus> {
  const objects = await makeSyntheticObjects(join(directory, 'trees'), 20);
  return makeCorpus(nix, join(directory, 'corpus'), objects, ['xz']);
}

function succeeded({ code, stderr }: RunResult): void {
  assert.equal(code, 0, stderr);
}

let scratch: Scratch;
let server: S3Server;
before(async () => {
  if (needsS3.skip) return;
  scratch = await makeScratch(100);
  server = await S3Server.start(join(scratch.path, 'swift'));
});
after(async () => {
  await server?.[Symbol.asyncDispose]();
  await scratch?.[Symbol.asyncDispose]();
});

if (!needsS3.skip) {
  let buckets = 0;
  conforms('a binary cache in S3', async (_, resources) => {
    resources.use(useCredentials(WRITER));
    const bucket = `bucket-${++buckets}`;
    await server.makeBucket(bucket);
    const store = resources.use(await openCache(server.storeUri(bucket, { compression: 'zstd' })));
    await store.prepareToWrite(); // before that there is no cache to ask
    return store;
  });
}

describe('a cache in S3', needsS3, () => {
  test('is written, and stock Nix substitutes from it, with signatures required', { skip: nixMissing }, async () => {
    const directory = join(scratch.path, 'written');
    const nix = await Nix.open(join(directory, 'home'));
    const corpus = await prepare(nix, directory);
    await server.makeBucket('written');
    const uri = server.storeUri('written');
    const copy = ['copy', '--from', corpus.root, '--to', `${uri}&compression=zstd`, corpus.top];
    succeeded(await sluice([...copy, '--secret-key-files', corpus.secretKeyFile], { env: WRITER }));

    const root = join(directory, 'root');
    const realise = ['realise', corpus.top, '--store', `local?root=${root}`, '--substituter', uri];
    const ended = await sluice([...realise, '--trusted-public-keys', corpus.publicKey], { env: WRITER });
    succeeded(ended);
    assert.deepEqual(lines(ended.stdout), [corpus.top]);
    assert.deepEqual(await nix.problems(root), []);
    assert.deepEqual(await nix.closure(root, corpus.top), corpus.paths);

    // Debian's Nix has no S3: it reads the same files where everybody may.
    const stock = join(directory, 'stock');
    const url = await server.publish('written');
    const required = ['--option', 'require-sigs', 'true', '--option', 'trusted-public-keys', corpus.publicKey];
    const substitute = ['--option', 'substitute', 'true', '--option', 'substituters', url];
    await nix.output('nix-store', '--store', stock, ...required, ...substitute, '--realise', corpus.top);
    assert.deepEqual(await nix.problems(stock), []);
    assert.deepEqual(await nix.pathInfos(stock, corpus.top), await nix.pathInfos(root, corpus.top));
  });

  test('that stock Nix has written is substituted from, below a prefix', { skip: nixMissing }, async () => {
    const directory = join(scratch.path, 'read');
    const nix = await Nix.open(join(directory, 'home'));
    const corpus = await prepare(nix, directory);
    await server.makeBucket('read');
    const cache = join(corpus.directory, corpus.cacheName('xz'));
    for await (const name of glob(['nix-cache-info', '*.narinfo', 'nar/*'], { cwd: cache })) {
      const { status } = await server.request('PUT', `read/a%20b/${name}`, await readFile(join(cache, name)));
      assert.equal(status, 200);
    }
    const root = join(directory, 'root');
    const realise = ['realise', corpus.top, '--store', `local?root=${root}`];
    const substitute = ['--substituter', server.storeUri('read/a%20b'), '--trusted-public-keys', corpus.publicKey];
    succeeded(await sluice([...realise, ...substitute], { env: WRITER }));
    assert.deepEqual(await nix.problems(root), []);
    assert.deepEqual(await nix.pathInfos(root, corpus.top), await nix.pathInfos(`file://${cache}`, corpus.top));
  });

  test('takes large files in parts', async () => {
    using _ = useCredentials(WRITER);
    await server.makeBucket('large');
    await using store = await openStore(server.storeUri('large', MULTIPART), makeSettings());
    await add(store, LARGE);
    assert.ok((await readNar(store, LARGE.info.path)).equals(LARGE.nar));
    const { files, parts } = await server.list('large');
    assert.equal(files.length, 3);
    assert.equal(parts.length, 3);
  });

  test('keeps nothing of an upload that failed', async () => {
    using _ = useCredentials(WRITER);
    await server.makeBucket('failed');
    const isSecondPart = ({ url }: IncomingMessage): boolean => url!.includes('partNumber=2');
    await using proxy = await startProxy(server, isSecondPart);
    const uri = `s3://failed?${new URLSearchParams({ ...MULTIPART, endpoint: proxy.url })}`;
    await using store = await openStore(uri, makeSettings());
    await assert.rejects(add(store, LARGE), /PUT .* with status 403/);
    assert.deepEqual(await server.list('failed'), { files: ['nix-cache-info'], parts: [] });
  });

  test('says what is wrong with credentials, buckets and regions, and tells no secret', async () => {
    await server.makeBucket('refusing');
    const small = await smallCache(join(scratch.path, 'small'));
    await server.request('PUT', 'refusing/nix-cache-info', Buffer.from('StoreDir: /nix/store\n'));
    const uri = server.storeUri('refusing');
    const cases = [
      [uri, WRITER, /path '.*-app-2.0' is not valid/],
      [uri, credentials('test:writer', 'hunter2'), /403, SignatureDoesNotMatch.*hint: the secret key is wrong/s],
      [uri, credentials('nobody', 'hunter2'), /403, SignatureDoesNotMatch/],
      [uri, STRANGER, /403, AccessDenied.*hint: the credentials do not allow it/s],
      [uri, ANONYMOUS, /status 400.*hint: there are no credentials/s],
      [`${uri}&profile=gone`, WRITER, /AWS credentials of profile 'gone'/],
      [`${uri}&region=eu-west-1`, WRITER, /bucket 'refusing' is in another region: \?region=us-east-1/],
      [server.storeUri('gone'), WRITER, /404, NoSuchBucket.*hint: make the bucket first/s],
    ] as const;
    for (const [store, env, words] of cases) {
      const { code, stderr } = await sluice(['path-info', '--store', store, small.paths[2]], { env });
      assert.equal(code, 1);
      assert.match(stderr, words);
      assert.doesNotMatch(stderr, /hunter2|writing|looking/);
    }
  });

  test('that is public is read without credentials', async () => {
    await server.makeBucket('public');
    {
      using _ = useCredentials(WRITER);
      await using writer = await openStore(server.storeUri('public', { compression: 'none' }), makeSettings());
      await add(writer, LARGE);
    }
    using _ = useCredentials(ANONYMOUS);
    const url = await server.publish('public');
    await using store = await openStore(`s3://public?endpoint=${url.replace(/\/public$/, '')}`, makeSettings());
    assert.ok((await readNar(store, LARGE.info.path)).equals(LARGE.nar));
  });
});

async function openCache(uri: string): Promise<BinaryCacheStore> {
  return (await openStore(uri, makeSettings())) as BinaryCacheStore;
}

/** For this process, until it is disposed of. A store looks for them when it is first used. */
function useCredentials(variables: Readonly<Record<string, string>>): Disposable {
  const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name] ?? '']));
  Object.assign(process.env, variables);
  const undo = new DisposableStack();
  undo.defer(() => Object.assign(process.env, before));
  return undo;
}

/** Stands before the server, and forbids the requests that `refuses` names. */
async function startProxy(
  server: S3Server,
  refuses: (request: IncomingMessage) => boolean,
): Promise<AsyncDisposable & { readonly url: string }> {
  const proxy = createServer((request, response) => {
    if (refuses(request)) refuse(request, response);
    else pass(server, request, response);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return { url, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.resume().on('end', () => response.writeHead(403).end());
}

/** With the host that was signed. */
function pass(server: S3Server, request: IncomingMessage, response: ServerResponse): void {
  const { method = 'GET', headers } = request;
  const passed = forward(new URL(request.url!, server.url), { method, headers }, (answer) => {
    response.writeHead(answer.statusCode!, answer.headers);
    answer.pipe(response);
  });
  // What Swift sends after the head of an answer to HEAD is one, too.
  passed.on('error', () => (response.headersSent ? response.end() : response.destroy()));
  request.pipe(passed);
}
