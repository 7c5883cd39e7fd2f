/** What commands learn of binary caches is there for the next one. */
import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cliOutput, runCli, UNCONFIGURED } from '../support/cli.ts';
import { type HttpCache, serveCache } from '../support/http-cache.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let cache: SmallCache;
let server: HttpCache;
let homes = 0;

before(async () => {
  dir = await temporaryDirectory(resources);
  cache = await smallCache(join(dir, 'cache'));
  server = resources.use(await serveCache(cache.dir));
});
after(() => resources.disposeAsync());

/** Runs commands one after the other, as one user who is new; the narinfos that the last one asks for. */
async function asked(...commands: readonly (readonly string[])[]): Promise<string[]> {
  const environment = { ...UNCONFIGURED, XDG_CACHE_HOME: join(dir, `caches-${homes++}`) };
  for (const command of commands) {
    server.requests.length = 0;
    await cliOutput(command, { environment });
  }
  return [...new Set(server.requests.filter((name) => name.endsWith('.narinfo')))];
}

const [dryRun, pathInfo, ls, cat, copy] = [
  () => ['realise', '--dry-run', '--store', join(dir, 'dry'), '--from', server.url, cache.paths[2]],
  () => ['path-info', '-r', '--store', server.url, cache.paths[2]],
  () => ['ls', '--store', server.url, cache.paths[2]],
  () => ['cat', '--store', server.url, cache.paths[0]],
  () => ['copy', '-q', '--from', server.url, '--to', join(dir, `store-${homes++}`), cache.paths[2]],
];

for (const [name, command, narInfos] of [
  ['realise --dry-run', dryRun, 3],
  ['path-info', pathInfo, 3],
  ['ls', ls, 1],
  ['cat', cat, 1],
  ['copy', copy, 3],
] as const) {
  test(`${name} asks for a narinfo once`, async () => {
    assert.equal((await asked(command!())).length, narInfos);
    assert.deepEqual(await asked(command!(), command!()), []);
  });

  test(`${name} --refresh asks again`, async () => {
    assert.equal((await asked(command!(), [...command!(), '--refresh'])).length, narInfos);
  });
}

test('what one command has learned another one knows', async () => {
  assert.deepEqual(await asked(pathInfo!(), copy!()), []);
  assert.deepEqual(await asked(pathInfo!(), cat!()), []);
});

test('a destination is not remembered: what is gone from it is copied again', async () => {
  const to = `file://${join(dir, 'to')}`;
  assert.equal((await asked(copy!(), ['copy', '-q', '--from', server.url, '--to', to, cache.paths[2]])).length, 0);
});

test('a path that was missing is found as soon as the cache has it', async () => {
  const environment = { ...UNCONFIGURED, XDG_CACHE_HOME: join(dir, `caches-${homes++}`) };
  const narInfo = join(cache.dir, `${cache.base.info.path.slice(0, 32)}.narinfo`);
  await rename(narInfo, `${narInfo}.away`);
  const commands = ['path-info', 'ls'].map((name) => [name, '--store', server.url, cache.paths[0]]);
  for (const command of commands) assert.equal((await runCli(command, { environment })).code, 1);
  await rename(`${narInfo}.away`, narInfo);
  for (const command of commands) assert.equal((await runCli(command, { environment })).code, 0);
});
