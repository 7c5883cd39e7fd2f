/** A path that two processes want at the same time, of Nix or of Sluice, comes over the network once. */
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { type Misbehave, serveCache } from '../support/http-cache.ts';
import { describeNar, narOfNoise } from '../support/large-nars.ts';
import { Nix } from '../support/nix.ts';
import { needs, type RunResult, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

/** In MiB: enough that who does not wait is seen to ask. */
const SIZE = 48;
const nar = narOfNoise({ size: SIZE, noise: 1 });

type Kind = 'Nix' | 'Sluice';
const ORDERS: readonly (readonly [first: Kind, second: Kind])[] = [
  ['Sluice', 'Nix'],
  ['Nix', 'Sluice'],
  ['Sluice', 'Sluice'],
];

describe('a path that is wanted twice', needs('nix-store'), () => {
  for (const [first, second] of ORDERS) {
    test(`is downloaded by ${first}, and ${second} waits for it`, async () => {
      await using scratch = await makeScratch(3 * SIZE);
      const nix = await Nix.open(join(scratch.path, 'home'));
      const directory = join(scratch.path, 'cache');
      const root = join(scratch.path, 'store');
      await mkdir(join(root, 'nix/store'), { recursive: true });
      const info = await describeNar(nar);
      const path = printStorePath(DEFAULT_STORE_DIR, info.path);
      await using cache = await openStore(`file://${directory}?compression=none`, makeSettings());
      await cache.addToStore(info, nar);

      const downloading = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      let downloads = 0;
      const misbehave: Misbehave = (name) => {
        if (name.startsWith('nar/')) {
          downloads++;
          downloading.resolve();
          return { after: goOn.promise };
        }
        // The first has asked for all it has to ask: this is the other one, which looks at the lock next.
        if (downloads > 0 && name.endsWith('.narinfo')) goOn.resolve();
        return undefined;
      };
      await using server = await serveCache(directory, misbehave);
      const realise: Readonly<Record<Kind, () => Promise<RunResult>>> = {
        Nix: () => {
          const options = ['--option', 'substitute', 'true', '--option', 'substituters', server.url];
          return nix.run('nix-store', '--store', root, ...options, '-r', path);
        },
        Sluice: () => sluice(['realise', path, '--store', root, '--substituter', server.url]),
      };
      const one = realise[first]();
      await downloading.promise;
      const other = realise[second]();
      for (const { code, stderr } of await Promise.all([one, other])) assert.equal(code, 0, stderr);

      assert.equal(downloads, 1);
      assert.deepEqual(
        await readdir(join(root, 'nix/store')).then((names) => names.sort()),
        ['.links', info.path].sort(),
      );
      assert.deepEqual(await nix.problems(root), []);
    });
  }
});
