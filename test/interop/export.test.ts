/** Export streams and tarballs, from and to stock Nix. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, parseStorePath, pathName, type StorePath } from '../../src/formats/store-path.ts';
import { full, makeNode, makeRandom } from '../support/gc-store.ts';
import { openTestStore } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { lines, MAIN, output } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { add, type StoreObject } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

/** Derivations in a chain, which Nix checks when it takes them: nobody else can make their output paths. */
const DERIVATIONS = `let all = builtins.genList (n: derivation {
  name = "made-\${toString n}";
  system = "x86_64-linux";
  builder = "/bin/sh";
  outputs = [ "out" "dev" ];
  deps = if n < 3 then [ ] else [ (builtins.elemAt all (n - 1)) (builtins.elemAt all (n - 3)).dev ];
}) 50; in all`;

/** Objects that refer to earlier ones, among them those that derivations make: `made` says from which to which. */
function makeObjects(made: readonly (readonly [deriver: StorePath, output: StorePath])[]): StoreObject[] {
  const random = makeRandom(11);
  const objects: StoreObject[] = [];
  const add = (name: string, own: Partial<PathInfo> = {}): void => {
    const size = objects.length && random(8);
    const references = Array.from({ length: size }, () => objects[random(objects.length)]!.info.path);
    const tree = directory({
      '\xff no UTF-8': file('x'.repeat(random(3000))),
      bin: directory({ [`${name}-${'n'.repeat(random(200))}`]: file(`#!/bin/sh\n${name}`, true) }),
      empty: directory({}),
      link: { type: 'symlink', target: `../${name}` },
    });
    const { info, nar } = makeNode(name, { references: [...references, ...(own.references ?? [])] }, tree);
    objects.push({ nar, info: { ...info, ...own, references: info.references } });
  };
  for (let count = 0; count < 200; count++) add(`object-${count}`);
  for (const [deriver, path] of made) add(pathName(path), { path, deriver, references: random(2) > 0 ? [path] : [] });
  for (let count = 200; count < 300; count++) add(`object-${count}`);
  return objects;
}

describe('beside stock Nix', { skip: nixMissing }, () => {
  const resources = new AsyncDisposableStack();
  let paths: readonly string[];
  let dir: string;
  let nix: Nix;

  before(async () => {
    dir = resources.use(await makeScratch(64)).path;
    nix = await Nix.open(join(dir, 'home'));
    await writeFile(join(dir, 'all.nix'), DERIVATIONS);
    const derivations = lines(await shell('nix-instantiate --store "$PWD/source" all.nix 2> /dev/null'));
    const made: [StorePath, StorePath][] = [];
    for (const derivation of derivations) {
      const outputs = lines(
        await nix.output('nix-store', '--store', join(dir, 'source'), '-q', '--outputs', derivation),
      );
      for (const output of outputs) {
        made.push([parseStorePath(DEFAULT_STORE_DIR, derivation), parseStorePath(DEFAULT_STORE_DIR, output)]);
      }
    }
    await using filling = new AsyncDisposableStack();
    const store = await openTestStore(join(dir, 'source'), filling, { requireSigs: false });
    await add(store, ...makeObjects(made));
    paths = (await store.queryAllValidPaths()).map(full);
    await writeFile(join(dir, 'paths'), paths.join('\n'));
    await writeFile(join(dir, 'reversed'), paths.toReversed().join('\n'));
  });
  after(() => resources.disposeAsync());

  /** Runs shell text in the test's directory, where stores and streams lie; `sluice` is this checkout's. */
  async function shell(text: string): Promise<string> {
    const prelude = `set -euo pipefail\nsluice() { '${process.execPath}' '${MAIN}' "$@"; }\n`;
    return await output('bash', ['-c', prelude + text], { cwd: dir, env: nix.env });
  }

  /** What a store knows of its paths, in an order of their own: lines of `nix-store --dump-db`. */
  async function database(store: string): Promise<string> {
    return await nix.output('nix-store', '--store', join(dir, store), '--dump-db');
  }

  test('an export has the same bytes, of single paths and of closures, whatever the order', async () => {
    const random = makeRandom(5);
    for (let run = 0; run < 4; run++) {
      const some = Array.from({ length: 1 + random(40) }, () => paths[random(paths.length)]!).join(' ');
      await shell(`
        nix-store --store "$PWD/source" --export ${some} > stream
        sluice export --store "$PWD/source" ${some} | cmp - stream
        nix-store --store "$PWD/source" --export $(nix-store --store "$PWD/source" -qR ${some}) > stream
        sluice export --store "$PWD/source" --closure ${some} | cmp - stream`);
    }
  });

  test('what Nix exports is imported here as Nix does it, with the same output', async () => {
    await shell(`
      nix-store --store "$PWD/source" --export $(cat paths) > all
      nix-store --store "$PWD/stock" --import < all > stock.paths
      sluice import --store "$PWD/ours" < all | cmp - stock.paths
      sluice import --store "$PWD/ours" < all | cmp - stock.paths
      nix-store --store "$PWD/stock" --export $(cat paths) | cmp - all
      nix-store --store "$PWD/ours" --export $(cat paths) | cmp - all`);
    assert.equal(await database('ours'), await database('stock'));
    assert.deepEqual(await nix.problems(join(dir, 'ours')), []);
    const outputs = (store: string): Promise<string> =>
      shell(`nix-store --store "$PWD/${store}" -q --outputs $(grep '[.]drv$' paths)`);
    assert.equal(await outputs('ours'), await outputs('stock'));
    assert.equal(lines(await outputs('ours')).length, 100);
  });

  test('what is exported here is imported by Nix', async () => {
    const stdout = await shell(
      `sluice export --store "$PWD/source" $(cat paths) | nix-store --store "$PWD/theirs" --import`,
    );
    assert.deepEqual(lines(stdout).sort(), paths.toSorted());
    assert.deepEqual(await nix.problems(join(dir, 'theirs')), []);
    assert.equal(await database('theirs'), await database('source'));
  });

  test('after a stream that is cut off both have the same, and both fail', async () => {
    await shell(`
      nix-store --store "$PWD/source" --export $(cat paths) > all
      head -c 150000 all > cut
      ! nix-store --store "$PWD/stock-cut" --import < cut 2> /dev/null
      ! sluice import --store "$PWD/ours-cut" < cut 2> /dev/null`);
    assert.notEqual(await database('ours-cut'), '');
    assert.equal(await database('ours-cut'), await database('stock-cut'));
    assert.deepEqual(await nix.problems(join(dir, 'ours-cut')), []);
  });

  test('a tarball, unpacked at the root and loaded, makes a store that Nix finds nothing wrong with', async () => {
    await shell(`
      sluice export --store "$PWD/source" --format tar $(cat paths) > first
      sluice export --store "$PWD/source" $(cat paths) | sluice import --store "$PWD/copy" > /dev/null
      sluice export --store "$PWD/copy" --format tar $(cat reversed) | cmp - first
      mkdir unpacked
      tar -xpf first -C unpacked
      nix-store --store "$PWD/unpacked" --load-db < unpacked/nix-path-registration`);
    assert.equal(await database('unpacked'), await database('source'));
    assert.deepEqual(await nix.problems(join(dir, 'unpacked')), []);
  });
});
