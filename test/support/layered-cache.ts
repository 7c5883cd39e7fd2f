/** A binary cache of many small paths in four layers, each of which refers to some of the one below. Signed. */
import { makeSecretKey, printPublicKey, publicKeyOf } from '../../src/formats/signature.ts';
import { printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { bytes } from './seeded.ts';
import { add, makeBuiltObject, type StoreObject } from './store-objects.ts';
import { directory, file } from './trees.ts';

/** Of paths in a layer; the last one is the top, which refers to all of the layer below it. */
const LAYERS = [120, 60, 19, 1];
const REFERENCES = 4;
/** Bytes of a path's only file, which cannot be compressed. */
const FILE_SIZE = 4_000;

export interface LayeredCache {
  readonly dir: string;
  /** In full. */
  readonly top: string;
  readonly paths: readonly StorePath[];
  /** Of the key that has signed them. */
  readonly publicKey: string;
}

/** @param dir - does not exist yet. */
export async function layeredCache(dir: string): Promise<LayeredCache> {
  const objects = await makeLayers();
  await using store = await openStore(`file://${dir}?compression=zstd`, makeSettings());
  await add(store, ...objects);
  const paths = objects.map(({ info }) => info.path);
  const publicKey = printPublicKey(publicKeyOf(await makeSecretKey('test-1', new Uint8Array(32).fill(7))));
  return { dir, top: printStorePath(store.storeDir, paths.at(-1)!), paths, publicKey };
}

async function makeLayers(): Promise<StoreObject[]> {
  const objects: StoreObject[] = [];
  let below: readonly StorePath[] = [];
  for (const [layer, count] of LAYERS.entries()) {
    const made = Array.from({ length: count }, (_, nth) => {
      const name = `layer-${layer}-${nth}`;
      const contents = Buffer.from(bytes(FILE_SIZE, { seed: 1000 * (layer + 1) + 2 * nth }));
      return makeBuiltObject(name, directory({ file: file(contents.toString('latin1')) }), {
        references: referencesOf(nth, count, below),
      });
    });
    const layerObjects = await Promise.all(made);
    objects.push(...layerObjects);
    below = layerObjects.map(({ info }) => info.path);
  }
  return objects;
}

/** So that each of `below` is referred to by one of them at least. */
function referencesOf(nth: number, count: number, below: readonly StorePath[]): StorePath[] {
  const own = below.filter((_, index) => index % count === nth);
  const more = Array.from(
    { length: below.length === 0 ? 0 : REFERENCES },
    (_, each) => below[(nth * 7 + each * 11) % below.length]!,
  );
  return [...new Set([...own, ...more])];
}
