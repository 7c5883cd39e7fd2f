/** `bench` on small caches: what it asks for, what it prints, and that it leaves nothing behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, describe, test } from 'node:test';
import type { BenchReport } from '../../../src/cli/bench/report.ts';
import { makeSettings } from '../../../src/settings.ts';
import { openStore } from '../../../src/stores/open-store.ts';
import { type CliOptions, cliOutput, runCli } from '../../support/cli.ts';
import { type HttpCache, serveCache } from '../../support/http-cache.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { MAIN } from '../../support/run.ts';
import { type SmallCache, smallCache } from '../../support/small-cache.ts';
import { add, makeBuiltObject } from '../../support/store-objects.ts';
import { file } from '../../support/trees.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let temporary: string;
let cache: SmallCache;
let server: HttpCache;

before(async () => {
  dir = await temporaryDirectory(resources);
  temporary = join(dir, 'temporary');
  await mkdir(temporary);
  cache = await smallCache(join(dir, 'cache'), '?compression=zstd');
  server = resources.use(await serveCache(cache.dir));
});
afterEach(async () => assert.deepEqual(await readdir(temporary), [], 'nothing is left'));
after(() => resources.disposeAsync());

const bench = (...args: readonly string[]): string[] => ['bench', '--tmp-dir', temporary, ...args];

async function report(args: readonly string[], options?: CliOptions): Promise<BenchReport> {
  return JSON.parse(await cliOutput([...bench('-q', '--json'), ...args], options)) as BenchReport;
}

describe('bench', () => {
  test('has help that says what it does with signatures and stores, and gives examples', async () => {
    const help = await cliOutput(['bench', '--help']);
    assert.match(help, /^Usage: sluice bench \[options\] <uri> \[paths\.\.\.\]\n\nMeasure how fast/);
    assert.match(help, /require-sigs/);
    assert.match(help, /\nExamples:\n {2}sluice bench /);
  });

  test('prints a table, a line for each step, and tells of each step on the way', async () => {
    const { code, stdout, stderr } = await runCli(bench('--parallelism', '1,3', server.url, cache.paths[2]));
    assert.equal(code, 0, stderr);
    assert.ok(stdout.startsWith(`${server.url}: 3 paths, `), stdout);
    assert.match(stdout, /\nat once .* write\n {6}1 .*\d\n {6}3 .*\d\n\nBest: [13] at once, .*\n$/);
    assert.match(stderr, /^step 1 of 2, 1 at once: 3 narinfos, .*; 3 paths in .*\nstep 2 of 2, 3 at once: .*\n$/);
  });

  test('asks for everything anew in every step', async () => {
    server.requests.length = 0;
    await report(['--parallelism', '1,2', server.url, cache.paths[2]]);
    const count = (name: string): number => server.requests.filter((request) => request === name).length;
    assert.equal(
      count(`${cache.base.info.path.slice(0, 32)}.narinfo`),
      3,
      'once to find the closure, once in each step',
    );
    const nars = server.requests.filter((name) => name.startsWith('nar/'));
    assert.deepEqual([nars.length, new Set(nars).size], [6, 3]);
  });

  test('--json has what was measured', async () => {
    const { store, to, closure, steps } = await report(['--parallelism', '2', server.url, cache.paths[1]]);
    assert.deepEqual([store, to, closure?.paths, steps.length], [server.url, 'store', 2, 1]);
    const { narinfos, transfers } = steps[0]!;
    const { queries, found } = narinfos;
    assert.deepEqual({ queries, found }, { queries: 2, found: 2 });
    const narBytes = cache.base.nar.length + cache.lib.nar.length;
    assert.deepEqual([closure?.narBytes, transfers?.narBytes, transfers?.paths], [narBytes, narBytes, 2]);
    assert.equal(transfers?.downloadedBytes, closure?.downloadBytes);
    const { decode, hash, write } = transfers!.threadMilliseconds;
    assert.ok(decode > 0 && hash > 0 && write > 0);
    assert.ok(transfers!.commits >= 1 && transfers!.commitMilliseconds > 0);
  });

  test('--no-write transfers everything, and makes no store', async () => {
    const args = [
      '--json',
      '-q',
      '--no-write',
      '--tmp-dir',
      join(dir, 'is-not-there'),
      '--parallelism',
      '2',
      cache.uri,
    ];
    const { to, steps } = JSON.parse(await cliOutput(['bench', ...args])) as BenchReport;
    const { paths, commits, threadMilliseconds } = steps[0]!.transfers!;
    assert.deepEqual([to, paths, commits, threadMilliseconds.write], ['nowhere', 3, 0, 0]);
    assert.ok(threadMilliseconds.hash > 0);
  });

  test('measures all of a cache in a directory, and of a local store', async () => {
    assert.equal((await report(['--parallelism', '1', cache.uri])).closure?.paths, 3);
    const store = join(dir, 'store');
    await cliOutput(['realise', '-q', '--store', store, '--from', cache.uri, cache.paths[2]]);
    const { closure, steps } = await report(['--parallelism', '1', store]);
    assert.deepEqual([closure?.paths, steps[0]?.transfers?.paths], [3, 3]);
  });

  test('reads paths from the standard input', async () => {
    const { closure } = await report(['--stdin', '--parallelism', '1', server.url], { input: cache.paths.join('\n') });
    assert.equal(closure?.paths, 3);
  });

  test('keeps to its limits, and says what it left out', async () => {
    const stdout = await cliOutput(bench('-q', '--limit', '2', '--parallelism', '1', cache.uri));
    assert.match(stdout, /^file:.*: 2 paths, /);
    assert.match(stdout, /\nLeft out by --limit or --max-size: 1 path, .*\n/);
    const tooLarge = await runCli(bench('-q', '--max-size', '1', cache.uri));
    assert.equal(tooLarge.stderr, 'error: no path is small enough\nhint: raise --max-size\n');
  });

  test('takes a cache of any store directory, and what no trusted key has signed', async () => {
    const uri = `file://${dir}/other?store=/gnu/store`;
    await using store = await openStore(uri, makeSettings());
    await add(store, await makeBuiltObject('hello', file('hello'), { storeDir: store.storeDir }));
    const { closure, steps } = await report(['--parallelism', '1', uri]);
    assert.deepEqual([closure?.paths, steps[0]?.transfers?.commits], [1, 1]);
  });

  test('asks a cache behind HTTP for what it does not have where no path is named', async () => {
    server.requests.length = 0;
    const args = ['--parallelism', '1,4', '--limit', '20', server.url];
    const { to, closure, steps } = await report(args);
    assert.deepEqual([to, closure], ['none', undefined]);
    assert.deepEqual(
      steps.map(({ narinfos, transfers }) => [narinfos.queries, narinfos.found, transfers]),
      [
        [20, 0, undefined],
        [20, 0, undefined],
      ],
    );
    assert.equal(new Set(server.requests).size, 43, 'nix-cache-info, 2 × 20, and one more in each step to warm up');
    assert.match(await cliOutput(bench('-q', ...args)), /name a store path to see transfers/);
  });

  test('--html writes a page', async () => {
    const html = join(dir, 'bench.html');
    await cliOutput(bench('-q', '--html', html, '--parallelism', '1,2', server.url, cache.paths[2]));
    const page = await readFile(html, 'utf8');
    assert.match(page, /^<!doctype html>/);
    for (const name of ['app-2.0', 'lib-1.0', 'base']) assert.match(page, new RegExp(`<title>${name}: `));
    assert.match(page, /<title>registered \d paths? in /);
  });

  test('does not show the password of a cache', async () => {
    const { url } = server;
    const withPassword = url.replace('//', '//user:secret@');
    const html = join(dir, 'secret.html');
    const { stdout, stderr } = await runCli(bench('--html', html, '--parallelism', '1', withPassword, cache.paths[0]));
    assert.ok(stdout.startsWith(`${url}: `), stdout);
    assert.doesNotMatch(stdout + stderr + (await readFile(html, 'utf8')), /secret/);
  });
});

describe('bench ends with 1, and says why, where', () => {
  const MISSING = '/nix/store/00000000000000000000000000000000-missing';
  const CASES = [
    ['the cache lacks the path', () => [server.url, MISSING], /^error: path '.*-missing' is not valid in store 'http:/],
    ['there is no cache', () => [`${server.url}/nowhere`], /^error: '.*\/nowhere' is no binary cache/],
    ['the page has no place', () => ['--html', '/no/such/x.html', server.url], /^error: cannot access '\/no\/such'/],
    [
      'there is no directory for stores',
      () => ['--tmp-dir', '/no/such', server.url],
      /^error: cannot access '\/no\/such'/,
    ],
    [
      'no path is on the standard input',
      () => ['--stdin', server.url],
      /^error: no store paths are on the standard input/,
    ],
    ['a number makes no sense', () => ['--parallelism', '0', server.url], /^error: '--parallelism' wants numbers/],
  ] as const;
  for (const [where, args, message] of CASES) {
    test(where, async () => {
      const { code, stdout, stderr } = await runCli(bench(...args()));
      assert.match(stderr, message);
      assert.deepEqual([code, stdout], [1, '']);
    });
  }

  for (const mode of ['--write', '--no-write']) {
    test(`a NAR is not what was announced, with ${mode}`, async () => {
      const [path] = cache.paths;
      const evil = await serveCache(cache.dir, (name) => (name.startsWith('nar/') ? { truncate: 30 } : undefined));
      await using _ = evil;
      const flags = mode === '--write' ? [] : [mode];
      const { code, stdout, stderr } = await runCli(bench('-q', ...flags, evil.url, path));
      assert.ok(stderr.includes(path), stderr);
      assert.deepEqual([code, stdout], [1, '']);
    });
  }
});

describe('an interrupt', () => {
  for (const [what, prefix, flags] of [
    ['of a transfer into a store', 'nar/', []],
    ['of a transfer to nowhere', 'nar/', ['--no-write']],
    ['of a query', '', []],
  ] as const) {
    test(`${what} ends it with 130, leaves nothing, and prints no results`, async () => {
      const reached = Promise.withResolvers<void>();
      await using slow = await serveCache(cache.dir, (name) => {
        if (!name.startsWith(prefix)) return undefined;
        reached.resolve();
        return { after: new Promise(() => {}) };
      });
      using child = spawn(process.execPath, [MAIN, ...bench(...flags, slow.url, cache.paths[0])], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const closed = once(child, 'close');
      const [printed, said] = [text(child.stdout), text(child.stderr)];
      await reached.promise;
      child.kill('SIGINT');
      assert.deepEqual([(await closed)[0], await printed], [130, '']);
      assert.match(await said, /interrupted, cleaning up/);
    });
  }
});
