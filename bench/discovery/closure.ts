/** The narinfos of a closure that has no NARs: all that it takes to discover one. The same in every run. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashBytes } from '../../src/formats/hash.ts';
import { type NarInfo, printNarInfo } from '../../src/formats/narinfo.ts';
import { printNixCacheInfo } from '../../src/formats/nix-cache-info.ts';
import { fingerprint } from '../../src/formats/path-info.ts';
import { makeSecretKey, printPublicKey, publicKeyOf, type SecretKey, sign } from '../../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, hashPart, makeStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { seededIntegers } from '../../test/support/synthetic-corpus.ts';

/** Up to so many paths before it is a path's first reference away: 5,000 are some thirty levels deep. */
const WINDOW = 400;
const MAX_REFERENCES = 12;

export interface Closure {
  /** Refers, at last, to all others. */
  readonly top: StorePath;
  readonly count: number;
  /** Of the sizes that the narinfos tell. */
  readonly narSize: number;
  /** Of the key that has signed them. */
  readonly publicKey: string;
}

/** Writes the narinfos of `count` paths, and what else makes a binary cache, into `directory`. */
export async function writeClosure(directory: string, count: number): Promise<Closure> {
  const key = await makeSecretKey('bench-1', new Uint8Array(32).fill(1));
  const infos = makeInfos(count);
  await mkdir(directory, { recursive: true });
  await Promise.all(infos.map(async (info) => writeNarInfo(directory, await signed(info, key))));
  const cacheInfo = { storeDir: DEFAULT_STORE_DIR, priority: 30, wantMassQuery: true };
  await writeFile(join(directory, 'nix-cache-info'), printNixCacheInfo(cacheInfo));
  const narSize = infos.reduce((sum, info) => sum + info.narSize, 0);
  return { top: infos.at(-1)!.path, count, narSize, publicKey: printPublicKey(publicKeyOf(key)) };
}

function makeInfos(count: number): NarInfo[] {
  const below = seededIntegers(1);
  const infos: NarInfo[] = [];
  const unreferenced = new Set<StorePath>();
  for (let id = 0; id < count; id++) {
    const isTop = id === count - 1;
    const references = new Set<StorePath>(isTop ? unreferenced : []);
    if (id > 0) references.add(infos[id - 1 - below(Math.min(id, WINDOW))]!.path);
    for (let more = id > 0 ? below(MAX_REFERENCES) : 0; more > 0; more--) references.add(infos[below(id)]!.path);
    for (const reference of references) unreferenced.delete(reference);
    const info = narInfo(isTop ? 'top' : `package-${id}`, 200 + below(1_000_000), [...references].sort());
    unreferenced.add(info.path);
    infos.push(info);
  }
  return infos;
}

function narInfo(name: string, narSize: number, references: readonly StorePath[]): NarInfo {
  const fileHash = hashBytes('sha256', `file of ${name}`);
  return {
    path: pathOf(name),
    narHash: hashBytes('sha256', `NAR of ${name}`),
    narSize,
    references,
    deriver: pathOf(`${name}.drv`),
    signatures: [],
    url: `nar/${name}.nar.xz`,
    compression: 'xz',
    fileHash,
    fileSize: Math.ceil(narSize / 4),
  };
}

function pathOf(name: string): StorePath {
  return makeStorePath(DEFAULT_STORE_DIR, 'output:out', hashBytes('sha256', name), name);
}

async function signed(info: NarInfo, key: SecretKey): Promise<NarInfo> {
  return { ...info, signatures: [await sign(key, fingerprint(DEFAULT_STORE_DIR, info))] };
}

function writeNarInfo(directory: string, info: NarInfo): Promise<void> {
  return writeFile(join(directory, `${hashPart(info.path)}.narinfo`), printNarInfo(DEFAULT_STORE_DIR, info));
}
