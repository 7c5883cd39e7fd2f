/** A store with everything in it that a collector can meet: derivations, outputs, leftovers, roots of all kinds. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DraftDerivation, printDerivation } from '../../src/formats/derivation.ts';
import { derivationPath, fillOutputs } from '../../src/formats/derivation-hash.ts';
import { hashBytes } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, makeStorePath, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { openTestStore } from './local-store.ts';
import { add, type StoreObject } from './store-objects.ts';
import { file, narOf, type Tree } from './trees.ts';

/** The full path. */
export function full(path: StorePath): string {
  return printStorePath(DEFAULT_STORE_DIR, path);
}

/** Another path for every name. */
export function pathOf(name: string): StorePath {
  return makeStorePath(DEFAULT_STORE_DIR, 'output:out', hashBytes('sha256', name), name);
}

export interface NodeOptions {
  /** By default the one that {@link pathOf} has for the name. */
  readonly path?: StorePath;
  readonly references?: readonly StorePath[];
  readonly deriver?: StorePath | undefined;
}

/** An object that nothing vouches for, with references that it does not contain. */
export function makeNode(name: string, options: NodeOptions = {}, tree: Tree = file(name)): StoreObject {
  const { path = pathOf(name), references = [], deriver } = options;
  const nar = narOf(tree);
  const sorted = [...new Set(references)].sort();
  const narHash = hashBytes('sha256', nar);
  return {
    nar,
    info: { path, narHash, narSize: nar.length, references: sorted, deriver, signatures: [] },
  };
}

/** A derivation with as many outputs as are named, which need not be there. */
export function makeDerivation(
  name: string,
  outputs: readonly string[],
  options: NodeOptions = {},
): StoreObject & { readonly outputs: readonly StorePath[] } {
  const draft: DraftDerivation = {
    name,
    outputs: new Map(outputs.map((output) => [output, {}])),
    inputDrvs: new Map(),
    inputSrcs: [],
    system: 'x86_64-linux',
    builder: '/bin/sh',
    args: [],
    env: new Map(),
  };
  const derivation = fillOutputs(DEFAULT_STORE_DIR, draft, () => {
    throw new Error('unreachable: it has no inputs');
  });
  const path = derivationPath(DEFAULT_STORE_DIR, derivation);
  const text = file(printDerivation(DEFAULT_STORE_DIR, derivation));
  const node = makeNode(`${name}.drv`, { path, ...options }, text);
  return { ...node, outputs: Array.from(derivation.outputs.values(), ({ path }) => path) };
}

/** Objects in a store, about. */
const SIZE = 80;

/** Numbers from 0 to below `limit`, the same for the same seed. */
export type Random = (limit: number) => number;

export function makeRandom(seed: number): Random {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
}

/**
 * Makes a store with objects that refer to each other, and with roots; all of it as the seed says.
 *
 * @returns the store, open; of its paths some are its temporary roots.
 */
export async function makeFilledStore(
  root: string,
  home: string,
  seed: number,
  resources: AsyncDisposableStack,
): Promise<LocalStore> {
  const temporary = await fill(root, home, seed);
  const store = await openTestStore(root, resources);
  await store.addTempRoots(temporary);
  return store;
}

/** Uses a store of its own, as that makes all that is added a temporary root. */
async function fill(root: string, home: string, seed: number): Promise<readonly StorePath[]> {
  await using resources = new AsyncDisposableStack();
  const store = await openTestStore(root, resources, { fsyncStorePaths: false });
  const random = makeRandom(seed);
  const objects: StoreObject[] = [];
  const some = (most: number): StorePath[] =>
    objects.length === 0
      ? []
      : Array.from({ length: random(most + 1) }, () => objects[random(objects.length)]!.info.path);
  while (objects.length < SIZE) {
    const name = `n${seed}-${objects.length}`;
    if (random(3) > 0) {
      objects.push(makeNode(name, { references: some(3) }));
      continue;
    }
    const derivation = makeDerivation(name, ['a', 'b'], { references: some(2) });
    const deriver = random(4) > 0 ? derivation.info.path : undefined;
    if (random(5) > 0) objects.push(derivation);
    for (const path of derivation.outputs) {
      // An output may refer to its own derivation, which is a cycle through the deriver.
      const own = objects.includes(derivation) && random(6) === 0 ? [derivation.info.path] : [];
      const references = [...some(2), ...own];
      if (random(3) > 0) objects.push(makeNode(path, { path, references, deriver }));
    }
  }
  await add(store, ...objects);
  addLeftovers(store, random);
  for (let count = 0; count < 7; count++) {
    addRoot(store, home, `${seed}-${count}`, random, objects[random(objects.length)]!.info.path);
  }
  const missing = objects[random(objects.length)]!.info.path;
  rmSync(store.realPath(missing), { recursive: true });
  return [...some(2), pathOf(`never-there-${seed}`)];
}

/** What killed processes leave behind, of which some is protected. */
function addLeftovers(store: LocalStore, random: Random): void {
  for (let count = 0; count < 4; count++) {
    const path = pathOf(`leftover-${random(1000)}`);
    writeFileSync(`${store.realPath(path)}${['', '.lock', '.chroot'][random(3)]}`, '');
  }
}

function addRoot({ stateDir }: LocalStore, home: string, name: string, random: Random, path: StorePath): void {
  const roots = join(stateDir, 'gcroots');
  const link = (name: string, target: string): void => {
    mkdirSync(dirname(name), { recursive: true });
    symlinkSync(target, name);
  };
  const result = join(home, `result-${name}`);
  const kinds = [
    () => link(join(roots, name), full(path)),
    () => link(join(roots, 'deep/er', name), `${full(path)}/bin/tool`),
    () => link(join(stateDir, 'profiles', `profile-${name}-link`), full(path)),
    () => writeFileSync(join(roots, path), ''),
    () => {
      link(result, full(path));
      link(join(roots, 'auto', name), result);
    },
    () => link(join(roots, 'auto', name), join(home, 'gone')),
    () => link(join(roots, name), full(pathOf('never-there'))),
  ];
  kinds[random(kinds.length)]!();
}
