/** Store objects to put into stores: path info and NAR, as `nix-store --add` would make them. */
import { type Hash, hashBytes, printHash } from '../../src/formats/hash.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { fingerprint } from '../../src/formats/path-info.ts';
import { makeSecretKey, sign } from '../../src/formats/signature.ts';
import {
  DEFAULT_STORE_DIR,
  makeFixedOutputPath,
  makeStorePath,
  type StoreDir,
  type StorePath,
} from '../../src/formats/store-path.ts';
import type { NarSource, Sink, Store } from '../../src/stores/store.ts';
import { narOf, type Tree } from './trees.ts';

export interface StoreObject {
  readonly info: PathInfo;
  readonly nar: Buffer;
}

export interface ObjectOptions {
  readonly references?: readonly StorePath[];
  readonly storeDir?: StoreDir;
}

/** A content-addressed object: any store takes it. */
export function makeObject(name: string, tree: Tree, options: ObjectOptions = {}): StoreObject {
  const { references = [], storeDir = DEFAULT_STORE_DIR } = options;
  const nar = narOf(tree);
  const narHash = hashBytes('sha256', nar);
  const contentAddress = { method: 'nar', hash: narHash } as const;
  const path = makeFixedOutputPath(storeDir, name, contentAddress, { references, self: false });
  const sorted = references.toSorted();
  return { nar, info: { path, narHash, narSize: nar.length, references: sorted, signatures: [], contentAddress } };
}

/** An object as a build makes it: its path says nothing of its contents. It may refer to itself, and has a signature. */
export async function makeBuiltObject(
  name: string,
  tree: Tree,
  options: ObjectOptions & { self?: boolean } = {},
): Promise<StoreObject> {
  const { references = [], storeDir = DEFAULT_STORE_DIR, self = false } = options;
  const nar = narOf(tree);
  const path = makeStorePath(storeDir, 'output:out', hashBytes('sha256', name), name);
  const info = {
    path,
    narHash: hashBytes('sha256', nar),
    narSize: nar.length,
    references: [...references, ...(self ? [path] : [])].sort(),
    deriver: makeStorePath(storeDir, 'text', hashBytes('sha256', `${name}.drv`), `${name}.drv`),
    signatures: [],
  };
  const key = await makeSecretKey('test-1', new Uint8Array(32).fill(7));
  return { nar, info: { ...info, signatures: [await sign(key, fingerprint(storeDir, info))] } };
}

/** Pours `nar` in chunks of `chunkSize` bytes out of one buffer that is overwritten each time, as sources may. */
export function narSource(nar: Uint8Array, chunkSize = 10_000): NarSource {
  return async (sink) => {
    const buffer = new Uint8Array(chunkSize);
    for (let start = 0; start < nar.length; start += chunkSize) {
      const chunk = nar.subarray(start, start + chunkSize);
      buffer.set(chunk);
      await sink(buffer.subarray(0, chunk.length));
      buffer.fill(0xff);
    }
  };
}

export async function add(store: Store, ...objects: readonly StoreObject[]): Promise<void> {
  for (const { info, nar } of objects) await store.addToStore(info, narSource(nar));
}

/** Everything that `pour` pours. */
export async function collect(pour: (sink: Sink) => Promise<void>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await pour((chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks);
}

/** The NAR of a path that is valid. */
export async function readNar(store: Store, path: StorePath): Promise<Buffer> {
  const info = await store.queryPathInfo(path);
  return collect((sink) => store.narFromPath(info!, sink));
}

/** What every store keeps of a path info, in a form that compares. */
export function comparable(info: PathInfo | undefined): unknown {
  if (info === undefined) return undefined;
  const { path, narHash, narSize, references, deriver, signatures, contentAddress } = info;
  const print = (hash: Hash): string => printHash(hash, 'sri');
  const address = contentAddress && { method: contentAddress.method, hash: print(contentAddress.hash) };
  return { path, narHash: print(narHash), narSize, references, deriver, signatures, contentAddress: address };
}
