/**
 * Uploads to a real web server, by PUT: what is written here stock Nix substitutes, and the other way round. Runs that
 * are killed, and servers that fail, leave nothing behind that is not whole.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type NarInfo, parseNarInfo } from '../../src/formats/narinfo.ts';
import { DEFAULT_STORE_DIR, hashPart } from '../../src/formats/store-path.ts';
import { type Corpus, makeCorpus } from '../support/corpus.ts';
import { serveFaults } from '../support/fault-server.ts';
import type { Fault } from '../support/faults.ts';
import { type Nginx, type NginxPlace, nginxConfiguration, startNginx } from '../support/nginx.ts';
import { Nix } from '../support/nix.ts';
import { lines, MAIN, needs, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { makeSyntheticObjects } from '../support/synthetic-corpus.ts';

const PATHS = 200;
const COMPRESSIONS = ['zstd', 'xz&compression-level=0'];

/** Half of all attempts fail: often enough, and without much delay. */
const RETRIES = ['--filetransfer-retry-attempts', '30', '--filetransfer-retry-delay', '5'];

interface Given {
  readonly nix: Nix;
  readonly corpus: Corpus;
  readonly nginx: Nginx;
  /** What nginx serves, and writes. */
  readonly directory: string;
  /** Each request as `METHOD FILE STATUS`. */
  readonly log: string;
}

test('uploads to a web server', needs('nix', 'nix-store', 'nginx'), async (t) => {
  await using scratch = await makeScratch(200);
  const nix = await Nix.open(join(scratch.path, 'home'));
  const objects = await makeSyntheticObjects(join(scratch.path, 'trees'), PATHS);
  const corpus = await makeCorpus(nix, join(scratch.path, 'corpus'), objects, []);
  const directory = join(scratch.path, 'caches');
  await mkdir(directory);
  const log = join(scratch.path, 'access.log');
  await using nginx = await startNginx(directory, join(scratch.path, 'nginx'), configuration(log));
  const given = { nix, corpus, nginx, directory, log };
  for (const compression of COMPRESSIONS) {
    await writesWhatStockNixReads(t, given, compression);
    await readsWhatStockNixWrites(t, given, compression);
  }
  await writesInOrder(t, given);
  await goesOnWhereItWasKilled(t, given);
  await survivesFailures(t, given, join(scratch.path, 'flaky'));
});

async function writesWhatStockNixReads(t: TestContext, { nix, corpus, nginx }: Given, compression: string) {
  const name = nameOf(compression);
  await t.test(`stock Nix substitutes what was uploaded, ${name}`, async () => {
    const url = `${nginx.url}/${name}`;
    await copies(corpus, `${url}?compression=${compression}`);
    const root = join(corpus.directory, `stock-from-${name}`);
    const required = ['--option', 'require-sigs', 'true', '--option', 'trusted-public-keys', corpus.publicKey];
    const substitute = ['--option', 'substitute', 'true', '--option', 'substituters', url];
    await nix.output('nix-store', '--store', root, ...required, ...substitute, '--realise', corpus.top);
    assert.deepEqual(await nix.problems(root), []);
    assert.deepEqual(await nix.closure(root, corpus.top), corpus.paths);
  });
}

async function readsWhatStockNixWrites(t: TestContext, { nix, corpus, nginx }: Given, compression: string) {
  const name = nameOf(compression);
  await t.test(`what stock Nix uploaded is substituted, ${name}`, async () => {
    const url = `${nginx.url}/stock-${name}`;
    const to = `${url}?compression=${compression}&secret-key=${corpus.secretKeyFile}`;
    await nix.output('nix', 'copy', '--no-check-sigs', '--from', corpus.root, '--to', to, corpus.top);
    const root = join(corpus.directory, `from-stock-${name}`);
    const store = ['--store', `local?root=${root}`, '--substituter', url];
    const ended = await sluice(['realise', corpus.top, ...store, '--trusted-public-keys', corpus.publicKey]);
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(await nix.closure(root, corpus.top), corpus.paths);
  });
}

async function writesInOrder(t: TestContext, { corpus, nginx, directory, log }: Given) {
  await t.test('each file is written once, NARs before narinfos, those of references first', async () => {
    const before = (await requests(log)).length;
    await copies(corpus, `${nginx.url}/order?compression=zstd`);
    const asked = (await requests(log)).slice(before);
    const put = asked.filter(({ method }) => method === 'PUT');
    assert.ok(put.every(({ status }) => status === 201));
    const place = new Map(put.map(({ file }, index) => [file, index]));
    assert.equal(place.size, put.length);
    assert.equal(put[0]!.file, '/order/nix-cache-info');
    for (const info of await narInfosIn(join(directory, 'order'))) {
      const own = place.get(`/order/${hashPart(info.path)}.narinfo`)!;
      assert.ok(place.get(`/order/${info.url}`)! < own);
      for (const reference of info.references) {
        assert.ok(reference === info.path || place.get(`/order/${hashPart(reference)}.narinfo`)! < own);
      }
    }
    // One question a path, and one a NAR.
    const questions = (suffix: RegExp) => asked.filter(({ method, file }) => method !== 'PUT' && suffix.test(file));
    assert.equal(questions(/\.narinfo$/).length, PATHS);
    assert.equal(questions(/\/nar\//).length, PATHS);
  });

  await t.test('nothing is written where all is there', async () => {
    const before = (await requests(log)).length;
    await copies(corpus, `${nginx.url}/order?compression=zstd`);
    const asked = (await requests(log)).slice(before);
    assert.deepEqual(
      asked.map(({ method }) => method),
      ['GET', 'GET'], // what cache it is, and whether it has the top
    );
  });
}

async function goesOnWhereItWasKilled(t: TestContext, { corpus, nginx, directory, log }: Given) {
  await t.test('a run that was killed leaves only what is whole, and the next one writes the rest', async (t) => {
    const cache = join(directory, 'killed');
    await mkdir(cache);
    const to = `${nginx.url}/killed?compression=zstd`;
    await killWhen(() => countNarInfos(cache) >= PATHS / 4, cache, copyArguments(corpus, to));
    const first = await narInfosIn(cache);
    t.diagnostic(`${first.length} of ${PATHS} paths were there when it was killed`);
    assert.ok(first.length < PATHS, 'it was killed too late');
    await isWhole(cache, first);
    const nars = new Set(await readdir(join(cache, 'nar')));
    const before = (await requests(log)).length;
    await copies(corpus, to);
    const put = (await requests(log)).slice(before).filter(({ method }) => method === 'PUT');
    const again = put.filter(({ file }) => nars.has(file.replace(/^.*\/nar\//, '')));
    assert.deepEqual(again, []);
    assert.equal(put.filter(({ file }) => file.endsWith('.narinfo')).length, PATHS - first.length);
    await isWhole(cache, await narInfosIn(cache));
  });
}

async function survivesFailures(t: TestContext, { corpus }: Given, directory: string) {
  const faults: readonly Fault[] = [{ kind: 'status', status: 500 }, { kind: 'reset' }];
  for (const fault of faults) {
    await t.test(`a server where every second PUT ends with ${fault.kind} gets everything`, async () => {
      const cache = join(directory, fault.kind);
      await mkdir(cache, { recursive: true });
      let puts = 0;
      await using server = await serveFaults(cache, ({ method }) =>
        method === 'PUT' && ++puts % 2 === 0 ? fault : undefined,
      );
      await copies(corpus, `${server.url}?compression=zstd`, ...RETRIES);
      const infos = await narInfosIn(cache);
      assert.equal(infos.length, PATHS);
      await isWhole(cache, infos);
    });
  }
}

function copyArguments(corpus: Corpus, to: string): string[] {
  return ['copy', '--from', corpus.root, '--to', to, corpus.top, '--secret-key-files', corpus.secretKeyFile];
}

async function copies(corpus: Corpus, to: string, ...options: readonly string[]): Promise<void> {
  const { code, stderr } = await sluice([...copyArguments(corpus, to), ...options]);
  assert.equal(code, 0, stderr);
}

/** All that is announced is there, with all that it refers to. */
async function isWhole(cache: string, infos: readonly NarInfo[]): Promise<void> {
  const paths = new Set(infos.map(({ path }) => path));
  for (const { url, fileSize, references } of infos) {
    assert.equal((await stat(join(cache, url))).size, fileSize);
    assert.ok(references.every((reference) => paths.has(reference)));
  }
}

async function narInfosIn(cache: string): Promise<NarInfo[]> {
  const files = (await readdir(cache)).filter((name) => name.endsWith('.narinfo'));
  return Promise.all(
    files.map(async (name) => parseNarInfo(DEFAULT_STORE_DIR, await readFile(join(cache, name), 'utf8'))),
  );
}

function countNarInfos(cache: string): number {
  return readdirSync(cache).filter((name) => name.endsWith('.narinfo')).length;
}

/** Starts the command line, and kills it when what happens in a directory makes `condition` true. */
async function killWhen(condition: () => boolean, directory: string, args: readonly string[]): Promise<void> {
  using cleanup = new DisposableStack();
  using child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  cleanup.adopt(
    watch(directory, () => condition() && child.kill('SIGKILL')),
    (watcher: FSWatcher) => watcher.close(),
  );
  const [, signal] = await exited;
  assert.equal(signal, 'SIGKILL');
}

interface LoggedRequest {
  readonly method: string;
  readonly file: string;
  readonly status: number;
}

async function requests(log: string): Promise<LoggedRequest[]> {
  return lines(await readFile(log, 'utf8')).map((line) => {
    const [method, file, status] = line.split(' ');
    return { method: method!, file: file!, status: Number(status) };
  });
}

const nameOf = (compression: string): string => compression.replace(/&.*/, '');

function configuration(log: string): (place: NginxPlace) => string {
  return ({ directory, scratch, port }) =>
    nginxConfiguration(
      scratch,
      `
    log_format short '$request_method $uri $status';
    access_log ${log} short;
    server {
      listen 127.0.0.1:${port};
      root ${directory};
      client_max_body_size 0;
      dav_methods PUT;
      create_full_put_path on;
    }`,
    );
}
