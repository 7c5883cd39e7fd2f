/** Signed binary caches of a corpus, written by Sluice: for machines without Nix. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { makeSecretKey, printPublicKey, printSecretKey, publicKeyOf } from '../../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { dumpNar } from '../../src/stores/nar-fs.ts';
import { openStore } from '../../src/stores/open-store.ts';
import type { Corpus, CorpusObject } from '../../test/support/corpus.ts';
import { cacheName } from './layout.ts';

/**
 * Writes a key and a cache for each compression into `directory`.
 *
 * @param objects - references first; the last one is the top, and must reach all others.
 * @param compressions - parameters of the caches, such as `xz` or `xz&compression-level=0`.
 */
export async function writeCaches(
  directory: string,
  objects: readonly CorpusObject[],
  compressions: readonly string[],
): Promise<Pick<Corpus, 'top' | 'paths'>> {
  const secretKey = await makeSecretKey('corpus-1', randomBytes(32));
  const secretKeyFile = join(directory, 'secret.key');
  await writeFile(secretKeyFile, printSecretKey(secretKey), { mode: 0o600 });
  await writeFile(join(directory, 'public.key'), printPublicKey(publicKeyOf(secretKey)));
  const infos = new Map<CorpusObject, PathInfo>();
  for (const object of objects) infos.set(object, await describe(object));
  for (const compression of compressions) {
    const params = `compression=${compression}&secret-key=${secretKeyFile}`;
    await using cache = await openStore(`file://${join(directory, cacheName(compression))}?${params}`, makeSettings());
    for (const [{ location }, info] of infos) await cache.addToStore(info, (sink) => dumpNar(location, sink));
  }
  const paths = objects.map(({ path }) => printStorePath(DEFAULT_STORE_DIR, path));
  return { top: paths.at(-1)!, paths: paths.sort() };
}

async function describe({ path, location, references }: CorpusObject): Promise<PathInfo> {
  const hash = createHash('sha256');
  let narSize = 0;
  await dumpNar(location, (chunk) => {
    hash.update(chunk);
    narSize += chunk.length;
  });
  const narHash = { algorithm: 'sha256', digest: new Uint8Array(hash.digest()) } as const;
  return { path, narHash, narSize, references: [...references].sort(), signatures: [] };
}
