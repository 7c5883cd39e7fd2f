/**
 * Caches that are broken, or that lie: each ends `sluice realise` with an error that names path and cache, and leaves
 * the store as it was.
 */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeSecretKey, printPublicKey, publicKeyOf } from '../../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, hashPart, printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openEncoder } from '../../src/stores/compression.ts';
import { openLocalStoreAt, openStore } from '../../src/stores/open-store.ts';
import { pump } from '../support/codecs.ts';
import { type Misbehaviour, serveCache } from '../support/http-cache.ts';
import { sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { bytes } from '../support/seeded.ts';
import { add, makeBuiltObject, type StoreObject } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

/** Half of it can be compressed, so that every compression has something to do and much to keep. */
const contents = Buffer.concat([bytes(200_000, { seed: 1 }), Buffer.alloc(200_000, 'sluice')]).toString('latin1');
const leaf = await makeBuiltObject('leaf', directory({ data: file(contents), tool: file('#!/bin/sh\n', true) }));
const other = await makeBuiltObject('other', file('other'));
const top = await makeBuiltObject('top', file('top'), { references: [leaf.info.path] });
/** Of the key that has signed them. */
const publicKey = printPublicKey(publicKeyOf(await makeSecretKey('test-1', new Uint8Array(32).fill(7))));

const narInfoOf = ({ info }: StoreObject): string => `${hashPart(info.path)}.narinfo`;
const LEAF = printStorePath(DEFAULT_STORE_DIR, leaf.info.path);

/** A cache with `leaf`, `other` and `top`, as files to tamper with. */
interface TamperableCache {
  readonly dir: string;
  readonly compression: string;
}

interface Tampering {
  readonly name: string;
  /** Words of the error that say what is wrong. */
  readonly says: RegExp;
  readonly compressions?: readonly string[];
  tamper?(cache: TamperableCache): Promise<void>;
  /** What the server does with requests for the NAR of `leaf`. */
  readonly nar?: Misbehaviour;
  /** And for its narinfo. */
  readonly narInfo?: Misbehaviour;
}

const ALL = ['none', 'zstd', 'xz'];

const TAMPERINGS: readonly Tampering[] = [
  {
    name: 'a flipped byte in the NAR, compressed as if it were right',
    says: /mismatch/,
    compressions: ALL,
    tamper: (cache) => replaceNar(cache, flipped(leaf.nar)),
  },
  {
    name: 'a flipped byte in the file of the NAR',
    says: /mismatch|corrupt|invalid|damaged/i,
    compressions: ALL,
    tamper: (cache) => editNarFile(cache, flipped),
  },
  {
    name: 'something else than a NAR, of the right size',
    says: /nar/,
    compressions: ALL,
    tamper: (cache) => replaceNar(cache, Buffer.alloc(leaf.nar.length, 'x')),
  },
  {
    name: 'a truncated NAR, compressed as if it were whole',
    says: /mismatch|end/,
    compressions: ALL,
    tamper: (cache) => replaceNar(cache, leaf.nar.subarray(0, 300_000)),
  },
  {
    name: 'a truncated file of the NAR, of which the narinfo says so',
    says: /mismatch|truncated|end/,
    compressions: ALL,
    tamper: (cache) => editNarFile(cache, (all) => all.subarray(0, 100_000)),
  },
  {
    name: 'a truncated file of the NAR',
    says: /mismatch|truncated|end/,
    compressions: ALL,
    tamper: async ({ dir, compression }) => {
      const { url } = await leafFacts({ dir, compression });
      await writeFile(join(dir, url), (await readFile(join(dir, url))).subarray(0, 100_000));
    },
  },
  {
    name: 'a longer NAR, compressed as if it were right',
    says: /mismatch/,
    compressions: ALL,
    tamper: (cache) => replaceNar(cache, Buffer.concat([leaf.nar, Buffer.alloc(1_000_000)])),
  },
  {
    name: 'a longer NAR that is one up to its size, as the narinfo says',
    says: /mismatch/,
    compressions: ALL,
    tamper: (cache) => replaceNar(cache, Buffer.concat([leaf.nar, leaf.nar])),
  },
  {
    name: 'a wrong signature',
    says: /sign/,
    tamper: (cache) => editNarInfo(cache, (text) => text.replace(/^(Sig: test-1:)..../m, '$1AAAA')),
  },
  {
    name: 'a signature by a key that is not trusted',
    says: /sign/,
    tamper: (cache) => editNarInfo(cache, (text) => text.replace('Sig: test-1:', 'Sig: test-2:')),
  },
  {
    name: 'no signature',
    says: /sign/,
    tamper: (cache) => editNarInfo(cache, (text) => text.replace(/^Sig: .*\n/m, '')),
  },
  {
    name: 'references that were not signed',
    says: /sign/,
    tamper: (cache) => editNarInfo(cache, (text) => text.replace(/^References: .*/m, `References: ${other.info.path}`)),
  },
  {
    name: 'a cache of another store directory',
    says: /store directory '\/gnu\/store'/,
    tamper: ({ dir }) => writeFile(join(dir, 'nix-cache-info'), 'StoreDir: /gnu/store\n'),
  },
  {
    name: 'a narinfo of another store directory',
    says: /\/gnu\/store/,
    tamper: (cache) => editNarInfo(cache, (text) => text.replace('StorePath: /nix/store', 'StorePath: /gnu/store')),
  },
  {
    name: 'a narinfo that is for another path',
    says: /not for/,
    tamper: async ({ dir }) => writeFile(join(dir, narInfoOf(leaf)), await readFile(join(dir, narInfoOf(other)))),
  },
  {
    name: 'a malformed narinfo',
    says: /invalid/,
    tamper: (cache) => editNarInfo(cache, (text) => text.replace(/^NarSize: .*/m, 'NarSize: many')),
  },
  {
    name: 'a narinfo that is a web page',
    says: /invalid/,
    tamper: (cache) => editNarInfo(cache, () => '<!doctype html>\n<title>Welcome</title>\n'),
  },
  { name: 'an empty narinfo', says: /invalid/, tamper: (cache) => editNarInfo(cache, () => '') },
  {
    name: 'a compression that does not exist',
    says: /rot13/,
    tamper: (cache) => editNarInfo(cache, (text) => text.replace(/^Compression: .*/m, 'Compression: rot13')),
  },
  {
    name: 'a NAR that is to come from the disk of the reader',
    says: /names no file/,
    tamper: (cache) => editNarInfo(cache, (text) => text.replace(/^URL: .*/m, 'URL: file:///etc/passwd')),
  },
  { name: 'status 404 for the NAR', says: /gone/, nar: { status: 404 } },
  { name: 'status 403 for the NAR', says: /gone|403/, nar: { status: 403 } },
  { name: 'status 500 for the NAR', says: /500/, nar: { status: 500 } },
  { name: 'status 500 for the narinfo', says: /500/, narInfo: { status: 500 } },
  {
    name: 'a connection that breaks again and again in the middle of the NAR',
    says: /closed|broke|ended/,
    nar: { truncate: 100_000 },
  },
];

for (const { compressions = ['zstd'], ...tampering } of TAMPERINGS) {
  for (const compression of compressions) {
    const name = `${tampering.name} leaves nothing behind (${compression})`;
    test(name, () => provesTampering({ ...tampering, compression }));
  }
}

async function provesTampering({
  says,
  tamper,
  nar,
  narInfo,
  compression,
}: Tampering & { compression: string }): Promise<void> {
  await using scratch = await makeScratch();
  const cache = { dir: join(scratch.path, 'cache'), compression };
  await makeCache(cache);
  await tamper?.(cache);
  const { url } = nar === undefined ? { url: undefined } : await leafFacts(cache);
  await using server = await serveCache(cache.dir, (name) =>
    name === url ? nar : name === narInfoOf(leaf) ? narInfo : undefined,
  );
  const store = join(scratch.path, 'store');
  const { code, stderr, stdout } = await sluice([
    ...['realise', printStorePath(DEFAULT_STORE_DIR, top.info.path), '--store', store],
    ...['--substituter', server.url, '--trusted-public-keys', publicKey],
  ]);

  assert.equal(code, 1, stderr);
  assert.equal(stdout, '');
  const [error = ''] = /^error: .*/ms.exec(stderr) ?? [];
  assert.match(error, says);
  assert.ok(
    error.includes(LEAF) || error.includes(narInfoOf(leaf)) || error.includes('/gnu/store'),
    `names no path: ${error}`,
  );
  assert.ok(error.includes(server.url), `names no cache: ${error}`);
  assert.doesNotMatch(error, /bug/);
  assert.deepEqual(await leftIn(store), []);
}

async function makeCache({ dir, compression }: TamperableCache): Promise<void> {
  await using cache = await openStore(`file://${dir}?compression=${compression}`, makeSettings());
  await add(cache, other, leaf, top);
}

/** What is registered, and what lies in the store directory beside Nix's own files. */
async function leftIn(root: string): Promise<string[]> {
  await using store = await openLocalStoreAt(root, makeSettings());
  const registered = await store.queryAllValidPaths();
  const lying = await readdir(store.realStoreDir);
  return [...registered, ...lying.filter((name) => name !== '.links')];
}

async function leafFacts({ dir }: TamperableCache): Promise<{ readonly url: string }> {
  const text = await readFile(join(dir, narInfoOf(leaf)), 'utf8');
  return { url: /^URL: (.*)$/m.exec(text)![1]! };
}

async function editNarInfo({ dir }: TamperableCache, edit: (text: string) => string): Promise<void> {
  const name = join(dir, narInfoOf(leaf));
  const before = await readFile(name, 'utf8');
  const after = edit(before);
  assert.notEqual(after, before);
  await writeFile(name, after);
}

/** Changes the file of the NAR, and what the narinfo says of the file: neither is signed. */
async function editNarFile(cache: TamperableCache, edit: (contents: Buffer) => Uint8Array): Promise<void> {
  const { url } = await leafFacts(cache);
  const edited = edit(await readFile(join(cache.dir, url)));
  await writeFile(join(cache.dir, url), edited);
  await editNarInfo(cache, (text) =>
    text.replace(/^FileHash: .*\n/m, '').replace(/^FileSize: .*/m, `FileSize: ${edited.length}`),
  );
}

async function replaceNar(cache: TamperableCache, nar: Uint8Array): Promise<void> {
  const compressed = await pump((sink) => openEncoder(cache.compression, sink, { level: undefined }), nar);
  await editNarFile(cache, () => compressed);
}

/** With one bit of a byte in the middle, within the contents of a file, turned round. */
function flipped(all: Buffer): Buffer {
  const changed = Buffer.from(all);
  changed[100_000]! ^= 1;
  return changed;
}
