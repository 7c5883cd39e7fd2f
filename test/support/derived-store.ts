/**
 * A chroot store made by stock Nix: a closure of many paths, derivations, and outputs of these that refer into the closure.
 * Nothing is built: outputs are written down and registered with their derivers.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashBytes } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, parseStorePath, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { printRegistration } from '../../src/formats/validity-registration.ts';
import { makeCorpus } from './corpus.ts';
import type { Nix } from './nix.ts';
import { lines, output } from './run.ts';
import { makeSyntheticObjects } from './synthetic-corpus.ts';
import { file, narOf } from './trees.ts';

export interface DerivedStore {
  /** Of the chroot store. */
  readonly root: string;
  /** With the store dir, as are all of these; its closure is `count` paths that nobody knows how to build. */
  readonly top: string;
  /** Each has a reference to the one before. */
  readonly derivations: readonly string[];
  /** Their outputs `out`, in the same order: each refers to the one before and to one of the closure. */
  readonly outputs: readonly string[];
}

const EXPRESSION = `
  let make = n: derivation {
    name = "made-\${toString n}"; system = "none"; builder = "none"; outputs = [ "out" "dev" ];
    before = if n == 0 then "" else make (n - 1);
  };
  in builtins.genList make `;

/** @param directory - an empty one. */
export async function makeDerivedStore(
  nix: Nix,
  directory: string,
  { count, derivations: made }: { readonly count: number; readonly derivations: number },
): Promise<DerivedStore> {
  const objects = await makeSyntheticObjects(join(directory, 'trees'), count);
  const { root, top } = await makeCorpus(nix, join(directory, 'corpus'), objects, []);
  const env = { ...nix.env, NIX_REMOTE: root };
  const derivations = lines(await output('nix-instantiate', ['-E', `${EXPRESSION}${made}`], { env }));
  const outputs: string[] = [];
  for (const [index, derivation] of derivations.entries()) {
    const paths = lines(await nix.output('nix-store', '--store', root, '-q', '--outputs', derivation));
    const out = paths.find((path) => !path.endsWith('-dev'))!;
    const dev = paths.find((path) => path.endsWith('-dev'))!;
    const references = [outputs.at(-1), printStorePath(DEFAULT_STORE_DIR, objects[(index * 7) % count]!.path)];
    // Of some the other output is not there.
    if (index % 3 !== 0) {
      references.push(dev);
      await registerOutput(nix, root, dev, derivation, []);
    }
    const known = references.filter((path) => path !== undefined);
    await registerOutput(nix, root, out, derivation, index % 2 === 0 ? [...known, out] : known);
    outputs.push(out);
  }
  return { root, top, derivations, outputs };
}

async function registerOutput(
  nix: Nix,
  root: string,
  path: string,
  derivation: string,
  references: readonly string[],
): Promise<void> {
  const text = `made by ${derivation}, with ${references.join(' and ')} in it\n`;
  await mkdir(join(root, 'nix/store'), { recursive: true });
  await writeFile(join(root, path), text, { mode: 0o444 });
  const parse = (full: string): StorePath => parseStorePath(DEFAULT_STORE_DIR, full);
  const nar = narOf(file(text));
  const registration = printRegistration(DEFAULT_STORE_DIR, {
    path: parse(path),
    narHash: hashBytes('sha256', nar),
    narSize: nar.length,
    deriver: parse(derivation),
    references: references.map(parse),
  });
  await output('nix-store', ['--store', root, '--load-db'], { env: nix.env, input: registration });
}
