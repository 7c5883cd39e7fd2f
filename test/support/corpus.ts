/**
 * Closures that the stock Nix client has taken into a store and written into binary caches. The trees are made by the
 * tests; hashes, sizes, signatures and caches are Nix's own.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { encodeNix32 } from '../../src/formats/nix32.ts';
import { DEFAULT_STORE_DIR, parseBaseName, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { dumpNar } from '../../src/stores/nar-fs.ts';
import type { Nix } from './nix.ts';

/** Something that is to become a store object. */
export interface CorpusObject {
  readonly path: StorePath;
  /** Where its files are. */
  readonly location: string;
  /** Objects that came before it. */
  readonly references: readonly StorePath[];
}

export interface Corpus {
  /** Holds the caches. */
  readonly directory: string;
  /** The chroot store that the caches were copied from. */
  readonly root: string;
  /** The path whose closure it is, with the store dir. */
  readonly top: string;
  /** The closure, with the store dir, sorted. */
  readonly paths: readonly string[];
  readonly publicKey: string;
  readonly secretKeyFile: string;
  /** The cache with this compression, as a file name below `directory`. */
  cacheName(compression: string): string;
}

/** A store path for a name: the same in every run. */
export function corpusPath(name: string): StorePath {
  return parseBaseName(`${encodeNix32(createHash('sha256').update(name).digest().subarray(0, 20))}-${name}`);
}

/**
 * Imports objects with `nix-store --import` into a chroot store and copies them with `nix copy` into signed caches.
 *
 * @param objects - references first; the last one is the top, and must reach all others.
 * @param compressions - parameters of the caches, such as `xz` or `xz&compression-level=0`.
 */
export async function makeCorpus(
  nix: Nix,
  directory: string,
  objects: readonly CorpusObject[],
  compressions: readonly string[],
): Promise<Corpus> {
  const root = join(directory, 'source');
  const secretKeyFile = join(directory, 'secret.key');
  const publicKeyFile = join(directory, 'public.key');
  await mkdir(root, { recursive: true });
  await importObjects(nix, root, objects);
  await nix.output('nix-store', '--generate-binary-cache-key', 'corpus-1', secretKeyFile, publicKeyFile);
  const top = shown(objects.at(-1)!.path);
  const copies = compressions.map((compression) => {
    const params = `compression=${compression}&parallel-compression=true&secret-key=${secretKeyFile}`;
    const to = `file://${join(directory, cacheName(compression))}?${params}`;
    return nix.output('nix', 'copy', '--no-check-sigs', '--from', root, '--to', to, top);
  });
  await Promise.all(copies);
  const publicKey = (await readFile(publicKeyFile, 'utf8')).trim();
  return { directory, root, top, paths: await nix.closure(root, top), publicKey, secretKeyFile, cacheName };
}

const cacheName = (compression: string): string => `cache-${compression.replace(/&.*/, '')}`;
const shown = (path: StorePath): string => printStorePath(DEFAULT_STORE_DIR, path);

/** Source: Nix 2.35 libstore/export-import.cc, the format of `nix-store --export`. */
const EXPORT_MAGIC = 0x4558494e;

async function importObjects(nix: Nix, root: string, objects: readonly CorpusObject[]): Promise<void> {
  using child = spawn('nix-store', ['--store', root, '--import'], {
    env: { ...process.env, ...nix.env },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const stderr = text(child.stderr);
  child.stdin.on('error', () => {}); // it ended: its exit code tells
  for (const { path, location, references } of objects) {
    await write(child.stdin, number(1));
    await dumpNar(location, (chunk) => write(child.stdin, chunk));
    const tail = [number(EXPORT_MAGIC), string(shown(path)), number(references.length)];
    tail.push(...references.map((reference) => string(shown(reference))));
    tail.push(string(shown(corpusPath(`${path.slice(33)}.drv`))), number(0));
    await write(child.stdin, Buffer.concat(tail));
  }
  child.stdin.end(number(0));
  const [code] = (await exited) as [number | null];
  if (code !== 0) throw new Error(`nix-store --import ended with ${code}: ${await stderr}`);
}

/** Done when the bytes are no longer needed, or the reader has ended. */
function write(stream: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => stream.write(bytes, () => resolve()));
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value);
  return bytes;
}

function string(value: string): Buffer {
  return Buffer.concat([number(value.length), Buffer.from(value), Buffer.alloc((8 - (value.length % 8)) % 8)]);
}
