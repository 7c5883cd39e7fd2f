/** `realise`, `copy` and `verify` on small stores. */
import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeSecretKey, printPublicKey, publicKeyOf } from '../../../src/formats/signature.ts';
import { printStorePath } from '../../../src/formats/store-path.ts';
import { makeSettings } from '../../../src/settings.ts';
import { openStore } from '../../../src/stores/open-store.ts';
import { type CliResult, cliOutput, runCli } from '../../support/cli.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { Nix, nixMissing } from '../../support/nix.ts';
import { type SmallCache, smallCache } from '../../support/small-cache.ts';
import { add, makeBuiltObject } from '../../support/store-objects.ts';
import { file } from '../../support/trees.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let cache: SmallCache;
let nix: Nix;
let stores = 0;

before(async () => {
  dir = await temporaryDirectory(resources);
  cache = await smallCache(join(dir, 'cache'), '?compression=zstd');
  nix = await Nix.open(join(dir, 'home'));
});
after(() => resources.disposeAsync());

const MISSING = '/nix/store/00000000000000000000000000000000-missing';
const newStore = (): string => join(dir, `store-${stores++}`);

describe('realise', () => {
  test('makes the closure valid, prints what was asked for, and tells of each path', async () => {
    const store = newStore();
    const { code, stdout, stderr } = await runCli(['realise', '--store', store, '--from', cache.uri, cache.paths[2]]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: `${cache.paths[2]}\n` });
    for (const path of cache.paths) assert.ok(stderr.includes(`copying path '${path}' from '${cache.uri}'...\n`), path);
    assert.match(stderr, /\ncopied 3 paths, 6\.7 KiB \(\d+ B downloaded\), in .* paths\/s, .*\/s\n$/);
    assert.equal(await cliOutput(['path-info', '-r', '--store', store, cache.paths[2]]), `${cache.paths.join('\n')}\n`);
  });

  test('says nothing of what is valid already', async () => {
    const args = ['realise', '--store', newStore(), '--substituter', cache.uri, cache.paths[1], cache.paths[1]];
    await cliOutput(args);
    assert.deepEqual(await runCli(args), { code: 0, stdout: `${cache.paths[1]}\n`, stderr: '' });
  });

  test('is quiet where that is asked for', async () => {
    const args = ['realise', '-q', '--store', newStore(), '--from', cache.uri, cache.paths[2]];
    assert.equal((await runCli(args)).stderr, '');
  });

  test('reads paths from the standard input, of which there may be none', async () => {
    const args = ['realise', '-q', '--store', newStore(), '--from', cache.uri, '--stdin'];
    assert.equal(await cliOutput(args, { input: cache.paths.join(' ') }), `${cache.paths.join('\n')}\n`);
    assert.equal(await cliOutput(args, { input: '\n' }), '');
  });

  test('goes on where that is asked for, prints what succeeded, and ends with 1', async () => {
    const args = ['realise', '-k', '-q', '--store', newStore(), '--from', cache.uri, MISSING, cache.paths[0]];
    assert.deepEqual(await runCli(args), {
      code: 1,
      stdout: `${cache.paths[0]}\n`,
      stderr: `error: no substituter has path '${MISSING}'\nhint: asked: '${cache.uri}'\n`,
    });
  });

  test('tells a failure once, at its root', async () => {
    const broken = await smallCache(join(dir, 'broken'));
    await rm(join(broken.dir, `${broken.base.info.path.slice(0, 32)}.narinfo`));
    const args = ['realise', '-k', '-q', '--store', newStore(), '--from', broken.uri, broken.paths[2], broken.paths[1]];
    assert.deepEqual(await runCli(args), {
      code: 1,
      stdout: '',
      stderr:
        `error: no substituter has path '${broken.paths[0]}'\n` +
        `needed by '${broken.paths[2]}', '${broken.paths[1]}'\nhint: asked: '${broken.uri}'\n`,
    });
  });

  test('--json says how each path ended', async () => {
    const args = ['realise', '-k', '-q', '--json', '--store', newStore(), '--from', cache.uri, cache.paths[0], MISSING];
    const { code, stdout } = await runCli(args);
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(stdout), [
      { path: cache.paths[0], state: 'succeeded', how: 'substituted' },
      {
        path: MISSING,
        state: 'noSubstituters',
        error: {
          code: 'ERR_NO_SUBSTITUTERS',
          message: `no substituter has path '${MISSING}'`,
          hint: `asked: '${cache.uri}'`,
        },
      },
    ]);
  });
});

describe('realise --dry-run', () => {
  test('tells what would be fetched, fetches nothing, and ends with 0', async () => {
    const store = newStore();
    const args = ['realise', '--store', store, '--from', cache.uri, '--dry-run'];
    const { code, stdout, stderr } = await runCli([...args, cache.paths[2], MISSING]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
    assert.match(
      stderr,
      /^these 3 paths will be fetched \(0\.00 MiB download, 0\.01 MiB unpacked\):\n {2}.*-app-2\.0\n/,
    );
    assert.ok(stderr.endsWith(`don't know how to build these paths:\n  ${MISSING}\n`));
    assert.deepEqual(await readdir(join(store, 'nix/store')), ['.links']);
  });

  test('says nothing of what is valid', async () => {
    const args = ['realise', '--store', newStore(), '--from', cache.uri, cache.paths[2]];
    await cliOutput(args);
    assert.deepEqual(await runCli([...args, '--dry-run']), { code: 0, stdout: '', stderr: '' });
  });

  test('--json says who has each path, and how large it is', async () => {
    const args = [
      'realise',
      '--store',
      newStore(),
      '--from',
      cache.uri,
      '--dry-run',
      '--json',
      cache.paths[0],
      MISSING,
    ];
    const missing = JSON.parse(await cliOutput(args));
    const [found] = missing.willSubstitute;
    assert.deepEqual([found.path, found.substituter, found.narSize], [cache.paths[0], cache.uri, 5112]);
    assert.deepEqual([missing.unknown, missing.willBuild], [[MISSING], []]);
    assert.deepEqual([missing.narSize, missing.downloadSize], [5112, found.downloadSize]);
  });
});

for (const command of ['realise', 'copy']) {
  describe(`${command} --provenance`, () => {
    test('writes where each path came from', async () => {
      const file = join(dir, `${command}-provenance`);
      const to = command === 'realise' ? '--store' : '--to';
      const args = [command, '-q', to, newStore(), '--from', cache.uri, cache.paths[2], '--provenance', file];
      await cliOutput(args);
      const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
      const records = lines.map((line) => JSON.parse(line));
      assert.deepEqual(records.map(({ path }) => path).sort(), cache.paths.toSorted());
      for (const record of records) {
        assert.deepEqual([record.cache, record.trustedBy, record.key], [cache.uri, 'contentAddress', null]);
      }
    });

    test('is refused where it cannot be written, before anything is done', async () => {
      const store = newStore();
      const to = command === 'realise' ? '--store' : '--to';
      const args = [command, to, store, '--from', cache.uri, cache.paths[2], '--provenance', join(dir, 'no/such/file')];
      const { code, stderr } = await runCli(args);
      assert.equal(code, 1);
      assert.match(stderr, /^error: cannot write provenance '/);
      await assert.rejects(readdir(store), { code: 'ENOENT' });
    });
  });
}

describe('copy', () => {
  test('copies into a local store, and prints no paths', async () => {
    const store = newStore();
    const { code, stdout, stderr } = await runCli(['copy', '--from', cache.uri, '--to', store, cache.paths[2]]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
    assert.match(stderr, /copied 3 paths/);
    assert.equal(await cliOutput(['verify', '-q', '--json', '--store', store]), '{"checked":3,"problems":[]}\n');
  });

  test('copies from the store that is named, whatever is substituted otherwise', async () => {
    const args = ['--from', cache.uri, '--to', join(dir, 'named'), '--no-substitute', cache.paths[0]];
    assert.equal((await runCli(['copy', ...args])).code, 0);
  });

  test('copies into a binary cache that stock Nix reads', { skip: nixMissing }, async () => {
    const [store, to] = [newStore(), `file://${newStore()}`];
    await cliOutput(['copy', '-q', '--from', cache.uri, '--to', store, cache.paths[2]]);
    const { code, stderr } = await runCli(['copy', '--from', store, '--to', `${to}?compression=xz`, cache.paths[2]]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /copied 3 paths/);
    assert.equal(
      await nix.output('nix', 'path-info', '-r', '--store', to, cache.paths[2]),
      `${cache.paths.join('\n')}\n`,
    );
  });

  test('wants a signature by a trusted key, unless told otherwise', async () => {
    const built = await makeBuiltObject('built', file('x'));
    const from = `file://${newStore()}`;
    await using store = await openStore(from, makeSettings());
    await add(store, built);
    const path = printStorePath(store.storeDir, built.info.path);
    const copy = (...flags: readonly string[]): Promise<CliResult> =>
      runCli(['copy', '-q', '--from', from, '--to', newStore(), path, ...flags]);

    const refused = await copy();
    assert.match(refused.stderr, /^error: .*-built' .* not signed by a trusted key.*\nhint: /);
    assert.equal(refused.code, 1);
    assert.deepEqual(await copy('--no-check-sigs'), { code: 0, stdout: '', stderr: '' });
    const secret = await makeSecretKey('test-1', new Uint8Array(32).fill(7));
    assert.equal((await copy('--trusted-public-keys', printPublicKey(publicKeyOf(secret)))).code, 0);
    assert.equal((await copy('--option', 'require-sigs', 'false')).code, 0);
  });

  test('refuses a destination that cannot receive', async () => {
    const { code, stderr } = await runCli(['copy', '--from', cache.uri, '--to', 'memory:', cache.paths[0]]);
    assert.match(stderr, /^error: cannot copy to 'memory:.*'\nhint: /);
    assert.equal(code, 1);
  });
});

describe('verify', () => {
  async function filled(): Promise<string> {
    const store = newStore();
    await cliOutput(['copy', '-q', '--from', cache.uri, '--to', store, cache.paths[2]]);
    return store;
  }

  test('says how much it has checked', async () => {
    const store = await filled();
    assert.deepEqual(await runCli(['verify', '--store', store]), {
      code: 0,
      stdout: '',
      stderr: 'checked 3 paths: nothing is wrong\n',
    });
  });

  test('tells what is modified, and ends with 1 as nix-store does', async () => {
    const store = await filled();
    const file = join(store, cache.paths[0]);
    await chmod(file, 0o644);
    await writeFile(file, 'other');
    const { code, stderr } = await runCli(['verify', '--store', store]);
    assert.match(
      stderr,
      /^error: mismatch in path '.*-base': wanted sha256:.*, got sha256:.*\nchecked 3 paths: 1 wrong\n$/,
    );
    assert.equal(code, 1);
    assert.equal((await runCli(['verify', '--no-contents', '--store', store])).code, 0);
    assert.equal((await runCli(['verify', '--store', store, cache.paths[1]])).code, 0);
    const json = await runCli(['verify', '-q', '--json', '--store', store, cache.paths[0]]);
    const { checked, problems } = JSON.parse(json.stdout) as {
      checked: number;
      problems: { path: string; code: string }[];
    };
    assert.deepEqual(
      [checked, problems.map(({ path, code }) => [path, code])],
      [1, [[cache.paths[0], 'ERR_HASH_MISMATCH']]],
    );
  });

  test('tells what is gone', async () => {
    const store = await filled();
    await rm(join(store, cache.paths[0]));
    const { code, stderr } = await runCli(['verify', '--no-contents', '--store', store]);
    assert.match(stderr, /^error: .*-base' is registered but/);
    assert.equal(code, 1);
  });

  test('refuses what is no local store', async () => {
    const { code, stderr } = await runCli(['verify', '--store', cache.uri]);
    assert.match(stderr, /is no local store/);
    assert.equal(code, 1);
  });
});

test('nothing staged is left in any of these stores', async () => {
  for (let index = 0; index < stores; index++) {
    const names = await readdir(join(dir, `store-${index}`, 'nix/store')).catch(() => []);
    assert.deepEqual(
      names.filter((name) => name.includes('tmp-')),
      [],
    );
  }
});
