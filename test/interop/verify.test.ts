import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { makeSecretKey, printPublicKey, publicKeyOf } from '../../src/formats/signature.ts';
import { cliOutput, runCli } from '../support/cli.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { run } from '../support/run.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';
import { add, makeBuiltObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;

interface Filled {
  readonly nix: Nix;
  readonly cache: SmallCache;
  /** Two stores with the same in them. */
  readonly ours: string;
  readonly theirs: string;
}

async function filled(resources: AsyncDisposableStack, damage: (dir: string) => void): Promise<Filled> {
  const home = await temporaryDirectory(resources);
  const cache = await smallCache(join(home, 'cache'));
  const [ours, theirs] = [join(home, 'ours'), join(home, 'theirs')];
  await cliOutput(['realise', '-q', '--store', ours, '--from', cache.uri, cache.paths[2]]);
  damage(join(ours, 'nix/store'));
  cpSync(ours, theirs, { recursive: true, verbatimSymlinks: true });
  return { nix: await Nix.open(join(home, 'nix')), cache, ours, theirs };
}

function modify(file: string): void {
  chmodSync(file, 0o644);
  writeFileSync(file, 'evil');
}

/** Base names of what is in the store directory, without what only one of the two makes. */
function contents(root: string): string[] {
  return readdirSync(join(root, 'nix/store'))
    .filter((name) => name !== '.links')
    .sort();
}

async function database({ nix }: Filled, root: string): Promise<string> {
  return await nix.output('nix-store', '--store', root, '--dump-db');
}

describe('verify beside stock Nix', { skip: nixMissing }, () => {
  test('a repair leaves what Nix leaves: contents, validity, and nothing that Nix finds wrong', async () => {
    await using resources = new AsyncDisposableStack();
    const all = await filled(resources, (dir) => {
      const name = (suffix: string): string => readdirSync(dir).find((each) => each.endsWith(suffix))!;
      modify(join(dir, name('-base'))); // modified
      rmSync(join(dir, name('-lib-1.0')), { recursive: true }); // missing, and needed
    });
    const { nix, cache, ours, theirs } = all;
    const { code } = await nix.run(
      'nix-store',
      ...['--store', theirs, '--verify', '--check-contents', '--repair', '--option', 'substitute', 'true'],
      ...['--option', 'substituters', cache.uri, '--option', 'require-sigs', 'false'],
    );
    assert.equal(code, 0);
    assert.equal((await runCli(['verify', '--store', ours])).code, 1);
    const mended = await runCli(['verify', '--store', ours, '--repair', '--substituter', cache.uri]);
    assert.equal(mended.code, 0, mended.stderr);
    assert.match(mended.stderr, /checked 3 paths: 2 wrong, all mended\n$/);
    assert.deepEqual(await nix.problems(ours), []);
    assert.deepEqual(contents(ours), contents(theirs));
    assert.equal(await database(all, ours), await database(all, theirs));
  });

  test('what is missing and not needed is made invalid by both', async () => {
    await using resources = new AsyncDisposableStack();
    const all = await filled(resources, (dir) => {
      for (const name of readdirSync(dir)) {
        if (/-(app-2\.0|lib-1\.0)$/.test(name)) rmSync(join(dir, name), { recursive: true });
      }
    });
    const { nix, ours, theirs } = all;
    await nix.output('nix-store', '--store', theirs, '--verify', '--repair');
    assert.equal(
      (await runCli(['verify', '--no-contents', '--store', ours])).code,
      1,
      'nothing is done without --repair',
    );
    assert.equal((await runCli(['verify', '--no-contents', '--repair', '--store', ours])).code, 0);
    assert.equal(await database(all, ours), await database(all, theirs));
    assert.match(await database(all, ours), /-base\n/);
  });

  test('the exit code of checked paths is the same', async () => {
    await using resources = new AsyncDisposableStack();
    const home = await temporaryDirectory(resources);
    const root = join(home, 'store');
    const nix = await Nix.open(join(home, 'nix'));
    const [good, modified, unsigned] = await Promise.all(
      ['good', 'modified', 'unsigned'].map((name) => makeBuiltObject(name, file(name))),
    );
    {
      const store = await openTestStore(root, resources, { requireSigs: false });
      await add(store, good!, modified!, { ...unsigned!, info: { ...unsigned!.info, signatures: [] } });
      modify(store.realPath(modified!.info.path));
    }
    const key = printPublicKey(publicKeyOf(await makeSecretKey('test-1', new Uint8Array(32).fill(7))));
    const full = [good, modified, unsigned].map((each) => `/nix/store/${each!.info.path}`) as [string, string, string];
    const codes: number[] = [];
    const cases: string[][] = [
      [full[0]],
      [full[1]],
      [full[2]],
      full,
      ['--no-trust', full[2]],
      ['--no-contents', full[1]],
      ['--sigs-needed', '2', full[0]],
      [full[0], `/nix/store/${'0'.repeat(32)}-none`],
    ];
    for (const args of cases) {
      const stock = await nix.run(
        'nix',
        'store',
        'verify',
        '--store',
        root,
        '--option',
        'trusted-public-keys',
        key,
        ...args,
      );
      const ours = await runCli(['verify', '--store', root, '--trusted-public-keys', key, ...args]);
      assert.equal(ours.code, stock.code, `${args.join(' ')}\n${stock.stderr}\n${ours.stderr}`);
      codes.push(ours.code);
    }
    assert.deepEqual(codes, [0, 1, 2, 3, 0, 0, 2, 4]);
  });

  test('a path that is repaired by both at once is good', async () => {
    await using resources = new AsyncDisposableStack();
    const { nix, cache, ours } = await filled(resources, (dir) => {
      modify(join(dir, readdirSync(dir).find((name) => name.endsWith('-base'))!));
    });
    const repair = () =>
      run(process.execPath, [MAIN, 'repair', '--store', ours, '--substituter', cache.uri, cache.paths[0]], {
        env: nix.env,
      });
    const stock = () =>
      nix.run(
        'nix',
        ...['store', 'repair', '--store', ours, '--option', 'substitute', 'true', '--option', 'require-sigs', 'false'],
        ...['--option', 'substituters', cache.uri, cache.paths[0]],
      );
    const ends = await Promise.all([repair(), stock(), repair()]);
    for (const { code, stderr } of ends) assert.equal(code, 0, stderr);
    assert.deepEqual(await nix.problems(ours), []);
  });

  test('a repair that is killed leaves a path that the next one repairs', async () => {
    await using resources = new AsyncDisposableStack();
    const { nix, cache, ours } = await filled(resources, () => {});
    const dir = join(ours, 'nix/store');
    const base = join(dir, readdirSync(dir).find((name) => name.endsWith('-base'))!);
    let ended = false;
    for (let step = 1; !ended; step++) {
      modify(base);
      ended = await killAfter(
        step,
        dir,
        [MAIN, 'repair', '-q', '--store', ours, '--from', cache.uri, cache.paths[0]],
        nix,
      );
      assert.ok(['evil', 'base\n'.repeat(1000)].includes(readFileSync(base, 'utf8')), `after step ${step}`);
      await cliOutput(['verify', '-q', '--repair', '--store', ours, '--substituter', cache.uri]);
      assert.deepEqual(await nix.problems(ours), []);
    }
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.includes('tmp-sluice')),
      [],
    );
  });
});

/** Kills the program at the nth change of the store directory. @returns whether it ended before. */
async function killAfter(step: number, dir: string, args: readonly string[], { env }: Nix): Promise<boolean> {
  using cleanup = new DisposableStack();
  const watcher = cleanup.adopt(watch(dir), (each) => each.close());
  const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
  let changes = 0;
  watcher.on('change', () => {
    changes++;
    if (changes === step) child.kill('SIGKILL');
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return signal === null;
}
