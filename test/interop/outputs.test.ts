/**
 * Outputs that were made under other paths, and rewritten, are those that stock Nix made under their own: the same hash,
 * size and references.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { finishOutputs } from '../../src/build/outputs/finish-outputs.ts';
import { parseDerivation } from '../../src/formats/derivation.ts';
import { hashBytes, printHash } from '../../src/formats/hash.ts';
import { hashPart, makeStorePath, parseBaseName, parseStoreDir, pathName } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { BuildingNix } from '../support/building-nix.ts';
import { needs } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let nix: BuildingNix;

/** Refers to itself, to its other output and to an input, in contents, names and targets; in odd places and modes. */
const SCRIPT = `
  export PATH=/usr/bin:/bin; mkdir -p $out/bin $out/share $dev; cd $out
  echo "$out $dev $input" > bin/run; chmod 711 bin/run; ln bin/run share/hard
  ln -s $out/bin/run share/self; ln -s $input share/input; ln -s ../nowhere share/gone
  head -c 200000 /dev/zero > share/big; printf %s $out >> share/big; head -c 131030 /dev/zero >> share/big; echo $dev >> share/big
  touch share/$(basename $out) share/a share/z; printf 'x' > "share/$(printf 'b\\377yte')"; : > share/empty
  echo $input > $dev/input; chmod 000 share/a; chmod 500 share
`;

describe('outputs', needs('nix-build', 'nix-instantiate', 'nix'), () => {
  before(async () => {
    dir = resources.use(await makeScratch(50)).path;
    nix = await BuildingNix.open(join(dir, 'nix'));
  });
  after(() => resources.disposeAsync());

  for (const autoOptimiseStore of [false, true]) {
    test(`rewritten are as stock Nix makes them${autoOptimiseStore ? ', with auto-optimise-store' : ''}`, async () => {
      const storeDir = parseStoreDir(nix.storeDir);
      const [drv] = await nix.instantiate(`derivation {
        name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; outputs = [ "out" "dev" ];
        args = [ "-c" ''${SCRIPT}'' ]; input = builtins.toFile "input" "text";
      }`);
      await nix.output('nix-store', '--realise', drv!);
      const derivation = parseDerivation(storeDir, 'x', readFileSync(drv!));
      const wanted = [...derivation.outputs].map(([name, { path }]) => ({ name, path }));
      const scratch = new Map(
        wanted.map(({ name, path }) => [
          name,
          makeStorePath(storeDir, 'scratch', hashBytes('sha256', `${path}${autoOptimiseStore}`), pathName(path)),
        ]),
      );
      const produced = new Map(Array.from(scratch, ([name, path]) => [name, join(storeDir, path)]));
      execFileSync('/bin/sh', ['-c', SCRIPT], {
        env: { ...Object.fromEntries(derivation.env), ...Object.fromEntries(produced) },
      });
      const { outputs } = await finishOutputs({
        request: {
          store: nix.uri,
          drvPath: parseBaseName(basename(drv!)),
          derivation,
          inputPaths: readdirSync(storeDir)
            .filter((name) => /^[0-9a-z]{32}-input$/.test(name))
            .map(parseBaseName),
          graphs: {},
          outputs: wanted,
          staging: storeDir,
          mode: 'normal',
        },
        store: { storeDir, realStoreDir: storeDir },
        produced,
        rewrites: new Map(wanted.map(({ name, path }) => [hashPart(scratch.get(name)!), hashPart(path)])),
        buildUid: undefined,
        settings: makeSettings({ autoOptimiseStore }),
        signal: new AbortController().signal,
      });
      assert.deepEqual(
        outputs.map(({ name }) => name),
        ['dev', 'out'],
      );
      for (const { info } of outputs) {
        const full = `${storeDir}/${info.path}`;
        const [theirs] = JSON.parse(await nix.output('nix', 'path-info', '--json', full)) as [
          { narHash: string; narSize: number; references: string[] },
        ];
        const references = info.references.map((path) => `${storeDir}/${path}`);
        assert.deepEqual(
          { narHash: printHash(info.narHash, 'sri'), narSize: info.narSize, references },
          { narHash: theirs.narHash, narSize: theirs.narSize, references: theirs.references.toSorted() },
        );
      }
    });
  }
});
