/** Logs that stock Nix wrote are read here, and the other way round. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseBaseName } from '../../src/formats/store-path.ts';
import { openLogFile } from '../../src/stores/build-log/log-file.ts';
import { BuildingNix } from '../support/building-nix.ts';
import { cliOutput, runCli } from '../support/cli.ts';
import { needs } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { bytes } from '../support/seeded.ts';

const resources = new AsyncDisposableStack();
let dir: string;
const build = (name: string, script: string): string =>
  `derivation { name = "${name}"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" ''${script}'' ]; }`;

describe('build logs', needs('nix-build', 'nix-instantiate', 'nix-store'), () => {
  before(async () => {
    dir = resources.use(await makeScratch(50)).path;
  });
  after(() => resources.disposeAsync());

  const SCRIPTS = {
    short: 'echo hello; echo there >&2; echo > $out',
    silent: ': > $out',
    'without a newline at the end': 'printf "a\\nb"; : > $out',
    long: 'i=0; while [ $i -lt 40000 ]; do echo "$i lines are not enough"; i=$((i+1)); done; : > $out',
  };
  for (const compress of [true, false]) {
    for (const [name, script] of Object.entries(SCRIPTS)) {
      test(`of stock Nix are printed as it prints them: ${name}, ${compress ? 'bzip2' : 'plain'}`, async () => {
        const nix = await BuildingNix.open(join(dir, `${name}-${compress}`), `compress-build-log = ${compress}`);
        const expression = build('logged', script);
        const [drv] = await nix.instantiate(expression);
        const [out] = await nix.build(expression);
        const expected = await nix.output('nix-store', '--read-log', drv!);
        for (const path of [drv!, out!]) {
          assert.equal(await cliOutput(['log', '--store', nix.uri, path]), expected);
        }
      });

      test(`of Sluice are printed by stock Nix: ${name}, ${compress ? 'bzip2' : 'plain'}`, async () => {
        const nix = await BuildingNix.open(join(dir, `ours-${name}-${compress}`));
        const [drv] = await nix.instantiate(build('logged', script));
        const text = `${'a line\n'.repeat(name === 'long' ? 100_000 : 3)}${Buffer.from(bytes(200, { seed: 1 })).toString('hex')}`;
        {
          using log = openLogFile(nix.logDir, parseBaseName(basename(drv!)), { compress });
          for (let start = 0; start < text.length; start += 10_007) {
            log.write(Buffer.from(text.slice(start, start + 10_007)));
          }
          log.finish();
        }
        assert.equal(await nix.output('nix-store', '--read-log', drv!), text);
      });
    }
  }

  test('that are not there are missed, with the name of what was asked for', async () => {
    const nix = await BuildingNix.open(join(dir, 'missing'));
    const [drv] = await nix.instantiate(build('logged', ''));
    const { code, stderr } = await runCli(['log', '--store', nix.uri, '--no-substitute', drv!]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`build log of '${drv}' is not available`));
  });

  test('are found in substituters, too', async () => {
    const nix = await BuildingNix.open(join(dir, 'substituted'));
    const expression = build('logged', 'echo from afar; : > $out');
    const [drv] = await nix.instantiate(expression);
    const [out] = await nix.build(expression);
    const cache = `file://${join(dir, 'cache')}`;
    await nix.output('nix', '--extra-experimental-features', 'nix-command', 'copy', '--to', cache, out!);
    await nix.output('nix', '--extra-experimental-features', 'nix-command', 'store', 'copy-log', '--to', cache, drv!);
    const other = `local?store=${nix.storeDir}&real=${join(dir, 'other')}&state=${join(dir, 'other-state')}&log=${join(dir, 'other-log')}`;
    await writeFile(join(dir, 'no-cache'), '');
    for (const path of [drv!, out!]) {
      const printed = await cliOutput([
        'log',
        '--store',
        other,
        '--substituters',
        `file://${join(dir, 'no-cache')}?store=${nix.storeDir} ${cache}?store=${nix.storeDir}`,
        path,
      ]);
      assert.equal(printed, 'from afar\n');
    }
  });
});
