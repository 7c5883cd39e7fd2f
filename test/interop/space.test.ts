/** A disk that is full, whoever finds out first: clear errors, nothing half done, and a store that works afterwards. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { type HttpCache, serveCache } from '../support/http-cache.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { lines, MAIN, type RunOptions, type RunResult, run, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { bytes } from '../support/seeded.ts';
import { add, makeObject, type StoreObject } from '../support/store-objects.ts';
import { MEBIBYTE, noTmpfs, Tmpfs, type TmpfsOptions } from '../support/tmpfs.ts';
import { directory, file } from '../support/trees.ts';

/** What a new store takes on disk, with its database, and some more for what running programs write. */
const STORE = MEBIBYTE;
/** No reserve for the collector, but where a test is about it: the disks here are smaller than that. */
const NO_RESERVE = ['--gc-reserved-space', '0'];
const LARGE = 8;
/** Each file takes a page, of which its NAR says nothing: no room that is claimed before is enough. */
const MANY_FILES = 1500;

const resources = new AsyncDisposableStack();
let scratch: string;
let nix: Nix;
let cacheDir: string;
let cache: HttpCache;
let exported: string;
/** Full paths. */
let small: string;
let large: readonly string[];
let manyFiles: string;

before(async () => {
  if (noTmpfs) return;
  scratch = resources.use(await makeScratch(64)).path;
  nix = await Nix.open(join(scratch, 'nix'));
  cacheDir = join(scratch, 'cache');
  await using store = await openStore(`file://${cacheDir}?compression=none`, makeSettings());
  const names = Array.from({ length: MANY_FILES }, (_, index) => String(index));
  const objects: readonly StoreObject[] = [
    makeObject('small', file('small')),
    makeObject('many-files', directory(Object.fromEntries(names.map((name) => [name, file(name)])))),
    ...Array.from({ length: LARGE }, (_, seed) =>
      makeObject(`large-${seed}`, file(Buffer.from(bytes(MEBIBYTE, { seed })).toString('latin1'))),
    ),
  ];
  await add(store, ...objects);
  const paths = objects.map(({ info }) => printStorePath(store.storeDir, info.path));
  [small, manyFiles, ...large] = paths as [string, string, ...string[]];
  cache = resources.use(await serveCache(cacheDir));
  const full = join(scratch, 'full');
  await succeeds(sluice(['realise', ...paths, '--store', full, '--from', cache.url]));
  exported = join(scratch, 'exported');
  await succeeds(exportTo(exported, full));
});
after(() => resources.disposeAsync());

/** Writes the large paths of a store into a file. */
function exportTo(file: string, store: string): Promise<RunResult> {
  const args = [process.execPath, MAIN, 'export', ...large, '--store', store];
  return run('sh', ['-c', `exec "$0" "$@" > '${file}'`, ...args]);
}

async function succeeds(running: Promise<RunResult>): Promise<RunResult> {
  const result = await running;
  assert.equal(result.code, 0, result.stderr);
  return result;
}

/** What {@link withDisk} hands to a test. */
interface Disk {
  readonly disk: Tmpfs;
  readonly store: string;
  /** Runs a command on the store, with the binary cache to substitute from. */
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<RunResult>;
}

/** A store with one small path on a disk of its own; stock Nix finds nothing wrong with it afterwards. */
async function withDisk(
  options: TmpfsOptions,
  use: (disk: Disk) => Promise<void>,
  reserve = NO_RESERVE,
): Promise<void> {
  await using disk = Tmpfs.mount(options);
  const store = join(disk.path, 'store');
  const run: Disk['run'] = (args, runOptions) => sluice([...args, '--store', store, ...reserve], runOptions);
  await succeeds(run(['realise', small, '--from', cache.url]));
  await use({ disk, store, run });
  assert.deepEqual(leftovers(store), []);
  disk.empty();
  await succeeds(run(['verify']));
  assert.deepEqual(nixMissing ? [] : await nix.problems(store), []);
  if (existsSync(join(store, 'nix/store', small.slice('/nix/store/'.length)))) return;
  assert.fail('the path that was there before is gone');
}

/** What lies in the store directory and is no valid path: nothing. */
function leftovers(store: string): string[] {
  return readdirSync(join(store, 'nix/store')).filter((name) => name !== '.links' && !/-(small|large-\d)$/.test(name));
}

function assertNoRoom({ code, stderr }: RunResult): void {
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^error: .*(no room for|no space left on device|database or disk is full|disk I\/O error)/m);
  assert.match(stderr, /^hint: .*(room|full)/m);
  assert.doesNotMatch(stderr, /bug in sluice|SuppressedError|^ {4}at /m);
}

const suite = { skip: noTmpfs } as const;

describe('a disk that is full', suite, () => {
  test('is found out before a transfer starts, and the error says how much is needed and free', () =>
    withDisk({ size: STORE + 2 * MEBIBYTE }, async ({ disk, run }) => {
      disk.fill(MEBIBYTE / 2);
      const asked = cache.requests.length;
      const result = await run(['realise', large[0]!, '--from', cache.url]);
      assertNoRoom(result);
      const [, path, needed, free] = /no room for '(.*)': it needs (\d+) bytes, and (\d+) are free/.exec(
        result.stderr,
      )!;
      assert.equal(path, large[0]);
      assert.equal(Number(needed), MEBIBYTE + 112); // as `nix path-info --size` says
      assert.ok(Number(free) > 0 && Number(free) <= MEBIBYTE / 2, free);
      assert.deepEqual(
        cache.requests.slice(asked).filter((name) => name.startsWith('nar/')),
        [],
      );
    }));

  test('is shared by transfers that run at once: those that fit together become valid, the others are refused', () =>
    withDisk({ size: STORE + 4 * MEBIBYTE }, async ({ disk, run, store }) => {
      const result = await run(['realise', ...large, '--from', cache.url, '--keep-going']);
      assertNoRoom(result);
      assert.doesNotMatch(result.stderr, /ENOSPC/);
      const refused = lines(result.stderr).filter((line) => line.startsWith('error: no room for'));
      const valid = readdirSync(join(store, 'nix/store')).filter((name) => /-large-\d$/.test(name));
      assert.equal(refused.length + valid.length, LARGE);
      assert.ok(valid.length >= 3, `${valid.length} fit where ${disk.free} bytes are left`);
      disk.fill();
      disk.empty();
    }));

  test('that fills up during a transfer leaves nothing of it, and the rest works when there is room again', () =>
    withDisk({ size: STORE + 2 * MEBIBYTE }, async ({ disk, run, store }) => {
      const result = await run(['realise', manyFiles, large[0]!, '--from', cache.url, '--keep-going']);
      assertNoRoom(result);
      assert.match(result.stderr, /cannot unpack into '.*-many-files': ENOSPC/);
      assert.deepEqual(leftovers(store), []);
      disk.fill();
      disk.empty();
      await succeeds(run(['realise', large[0]!, '--from', cache.url]));
    }));

  test('may lack room for names alone', () =>
    withDisk({ size: 16 * MEBIBYTE, inodes: 200 }, async ({ disk, run }) => {
      const result = await run(['realise', manyFiles, '--from', cache.url]);
      assertNoRoom(result);
      assert.match(result.stderr, /df -i/);
      disk.fill();
    }));

  test('makes import and add fail, which leave nothing', () =>
    withDisk({ size: STORE + 3 * MEBIBYTE }, async ({ disk, run, store }) => {
      disk.fill(MEBIBYTE / 2);
      const input = await readFile(exported);
      assertNoRoom(await run(['import'], { input }));
      assertNoRoom(await run(['add', exported]));
      assert.deepEqual(leftovers(store), []);
      disk.empty();
      disk.fill(2.5 * MEBIBYTE); // now some of it fits
      assertNoRoom(await run(['import'], { input }));
    }));

  test('is no trouble for those who only read, as long as the database can be opened', () =>
    withDisk({ size: STORE + 2 * MEBIBYTE }, async ({ disk, run }) => {
      disk.fill(64 * 1024);
      for (const command of [['path-info', small], ['query', '--references', small], ['verify'], ['optimise']]) {
        await succeeds(run(command));
      }
      disk.fill();
      // SQLite needs a file beside the database; without one the store is not read at all.
      assertNoRoom(await run(['path-info', small]));
      await succeeds(sluice(['path-info', small, '--store', `local?read-only=true&root=${disk.path}/store`]));
    }));

  test('takes no narinfos to remember, and no parts of downloads, and that is no failure', () =>
    withDisk({ size: STORE + 2 * MEBIBYTE }, async ({ disk, run }) => {
      disk.fill(MEBIBYTE + MEBIBYTE / 2);
      await using full = Tmpfs.mount({ size: 64 * 1024 });
      full.fill();
      const env = { XDG_CACHE_HOME: full.path };
      const { stderr } = await succeeds(run(['realise', large[0]!, '--from', cache.url], { env }));
      assert.doesNotMatch(stderr, /^error/m);
    }));

  test('makes room by collecting where min-free is set', () =>
    withDisk({ size: STORE + 3 * MEBIBYTE }, async ({ disk, run, store }) => {
      await succeeds(run(['realise', large[0]!, large[1]!, '--from', cache.url]));
      await succeeds(run(['root', 'add', join(disk.path, 'root'), small]));
      assertNoRoom(await run(['realise', large[2]!, large[3]!, '--from', cache.url]));
      await succeeds(run(['realise', large[2]!, large[3]!, '--from', cache.url, '--min-free', '1K']));
      const there = readdirSync(join(store, 'nix/store')).filter((name) => name.includes('-large-'));
      assert.deepEqual(there.map((name) => name.slice(33)).sort(), ['large-2', 'large-3']);
      disk.fill();
    }));

  test('is collected, as a reserve was kept for that', () =>
    withDisk(
      { size: STORE + 4 * MEBIBYTE },
      async ({ disk, run, store }) => {
        await succeeds(run(['realise', large[0]!, '--from', cache.url]));
        await succeeds(run(['root', 'add', join(disk.path, 'root'), small]));
        assert.equal(statSync(join(store, 'nix/var/nix/db/reserved')).size, MEBIBYTE);
        disk.fill();
        await succeeds(run(['path-info', small])); // takes half of it
        disk.fill();
        await succeeds(run(['gc']));
        assert.ok(disk.free > MEBIBYTE);
      },
      ['--gc-reserved-space', '1M'],
    ));
});

describe('a database on a disk that is full', suite, () => {
  test('takes nothing any more, and what was unpacked goes', async () => {
    await using disk = Tmpfs.mount({ size: MEBIBYTE });
    const root = join(scratch, 'root');
    const uri = `local?root=${root}&state=${disk.path}/state`;
    const realise = ['realise', ...large, '--from', cache.url, '--store', uri, ...NO_RESERVE];
    await succeeds(sluice(['add', exported, '--name', 'small', '--store', uri, ...NO_RESERVE]));
    disk.fill(44 * 1024); // SQLite opens it with 32 KiB
    const result = await sluice([...realise, '--keep-going']);
    assertNoRoom(result);
    assert.match(result.stderr, /database '.*db\.sqlite': (database or disk is full|disk I\/O error)/);
    disk.empty();
    await succeeds(sluice(['verify', '--store', uri, ...NO_RESERVE]));
    const { stdout } = await succeeds(sluice(['store', 'dump-db', '--store', uri, ...NO_RESERVE]));
    const valid = lines(stdout).filter((line) => /^\/nix\/store\/.*-(small|large-\d)$/.test(line));
    const there = readdirSync(join(root, 'nix/store')).filter((name) => name !== '.links');
    assert.deepEqual(there.map((name) => `/nix/store/${name}`).sort(), valid.sort());
    assert.ok(there.length < LARGE);
    const complaints = nixMissing
      ? ''
      : (await nix.run('nix-store', '--store', uri, '--verify', '--check-contents')).stderr;
    assert.doesNotMatch(complaints, /error|disappeared|modified/);
    await succeeds(sluice(realise));
  });
});

describe('a binary cache on a disk that is full', suite, () => {
  test('gets nothing half done, and the error names it', async () => {
    await using disk = Tmpfs.mount({ size: 2 * MEBIBYTE + MEBIBYTE / 2 });
    const uri = `file://${disk.path}/cache`;
    const result = await sluice(['copy', '--from', `file://${cacheDir}`, '--to', `${uri}?compression=none`, ...large]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /cannot write to binary cache 'file:\/\/.*': ENOSPC/);
    assert.match(result.stderr, /^hint: make room on that disk/m);
    const there = readdirSync(join(disk.path, 'cache'), { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      there.filter((name) => name.includes('tmp-')),
      [],
    );
    for (const name of there.filter((each) => each.endsWith('.narinfo'))) {
      const [, url] = /^URL: (.*)$/m.exec(await readFile(join(disk.path, 'cache', name), 'utf8'))!;
      assert.ok(there.includes(url!), `${name} names ${url}, which is not there`);
    }
  });
});

describe('a file on a disk that is full', suite, () => {
  test('is where an export ends with an error', async () => {
    await using disk = Tmpfs.mount({ size: MEBIBYTE });
    const result = await exportTo(join(disk.path, 'exported'), join(scratch, 'full'));
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^error: .*no space left on device/m);
  });
});

describe('where nothing can be made', () => {
  test('nothing is kept from one run to the next', async () => {
    const env = { XDG_CACHE_HOME: '/proc/1/x', NODE_COMPILE_CACHE: undefined };
    const { code, stdout } = await sluice(['--version'], { env, signal: AbortSignal.timeout(60_000) });
    assert.equal(code, 0);
    assert.match(stdout, /^sluice /);
  });

  test('a store or a cache is refused at once', async () => {
    const path = '/nix/store/ssssssssssssssssssssssssssssssss-x';
    const signal = AbortSignal.timeout(60_000);
    const result = await sluice(['path-info', path, '--store', 'local?root=/proc/1/x'], { signal });
    assert.equal(result.code, 1);
    assert.match(
      result.stderr,
      /cannot open store 'local\?root=\/proc\/1\/x': ENOENT: .* mkdir '\/proc\/1\/x'\nhint: /,
    );
  });
});
