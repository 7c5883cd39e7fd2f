/**
 * Real derivations, instantiated by stock Nix: Debian packages, each unpacked by a builder, with all that they depend on.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeTree } from '../../src/stores/remove-tree.ts';
import {
  type BuildPlace,
  buildWithNix,
  buildWithSluice,
  chrootPlace,
  instantiate,
  outputInfos,
  plainPlace,
  problems,
} from '../support/both-build.ts';
import { whyNoDebian } from '../support/debian-corpus.ts';
import { BUILD_ROOM, BUILD_ROOTS, writeDebianExpression } from '../support/debian-derivations.ts';
import { Nix, type NixPathInfo } from '../support/nix.ts';
import { needs } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const options = needs('nix-store', 'nix-instantiate', 'bwrap', 'apt-get', 'dpkg-deb');

test('derivations of Debian packages', options, async (t) => {
  const why = await whyNoDebian();
  if (why !== undefined && !process.env.SLUICE_REQUIRE_NIX) return t.skip(why);
  await using scratch = await makeScratch(BUILD_ROOM);
  const nix = await Nix.open(join(scratch.path, 'home'));
  const expression = await writeDebianExpression(scratch.path, BUILD_ROOTS);

  async function built(
    place: BuildPlace,
    build: (place: BuildPlace, drvPaths: readonly string[]) => Promise<unknown>,
  ): Promise<NixPathInfo[]> {
    const drvPaths = await instantiate(place, expression);
    const start = performance.now();
    await build(place, drvPaths);
    t.diagnostic(`${build.name}: ${drvPaths.length} derivations in ${Math.round(performance.now() - start)} ms`);
    const infos = await outputInfos(place, drvPaths);
    assert.ok(infos.length > 20, `only ${infos.length} outputs`);
    return infos;
  }

  await t.test('come out in a sandbox as stock Nix builds them', async () => {
    const [theirs, ours] = ['theirs', 'ours'].map((name) => chrootPlace(nix, join(scratch.path, name)));
    const wanted = await built(theirs!, buildWithNix);
    assert.deepEqual(await built(ours!, buildWithSluice), wanted);
    assert.deepEqual(await problems(ours!), []);
    for (const name of ['theirs', 'ours']) await removeTree(join(scratch.path, name));
  });

  await t.test('come out without a sandbox as stock Nix builds them', async () => {
    // One after the other in the same place, as the store directory is in all that is built.
    const dir = join(scratch.path, 'plain');
    const place = plainPlace(nix, dir);
    const wanted = await built(place, buildWithNix);
    await removeTree(dir);
    assert.deepEqual(await built(place, buildWithSluice), wanted);
    assert.deepEqual(await problems(place), []);
  });
});
