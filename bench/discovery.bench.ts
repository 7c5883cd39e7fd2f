/**
 * Discovery of a closure of 5,000 paths: what realising them would take is asked of a cache on the loopback interface,
 * by one that knows nothing, then by one that remembers what it was told. Wanted: 2,500 narinfos a second, which is
 * 2,000 ms a round, and 500 ms for a dry run that remembers, from the start of the process to its end.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench, type FnOptions } from 'tinybench';
import { DEFAULT_STORE_DIR, printStorePath } from '../src/formats/store-path.ts';
import type { MissingPaths } from '../src/scheduler/query-missing.ts';
import { Scheduler } from '../src/scheduler/scheduler.ts';
import { output } from '../test/support/run.ts';
import { buildSluice } from './discovery/build.ts';
import { writeClosure } from './discovery/closure.ts';
import { type Server, startServer } from './discovery/server.ts';

const PATHS = 5_000;

const parent = process.platform === 'linux' ? '/dev/shm' : tmpdir();
const scratch = mkdtempSync(join(parent, 'sluice-bench-'));
process.once('exit', () => rmSync(scratch, { recursive: true }));
const cache = join(scratch, 'cache');
const closure = await writeClosure(cache, PATHS);
const program = await buildSluice(join(scratch, 'package'));

let server: Server;
let scheduler: Scheduler;
let places = 0;

const freshPlace = (): string => join(scratch, String(places++));

/** Everything is opened anew, as by a new process, but for what the file remembers. */
function open(narInfoCache: string | undefined): Promise<Scheduler> {
  return Scheduler.open({
    store: freshPlace(),
    substituters: [server.url],
    narInfoCache,
    settings: { trustedPublicKeys: [closure.publicKey] },
  });
}

const eachWith = (narInfoCache: () => string | undefined): FnOptions => ({
  beforeEach: async () => {
    scheduler = await open(narInfoCache());
  },
  afterEach: () => scheduler[Symbol.asyncDispose](),
});

async function discover(from = scheduler): Promise<void> {
  check(await from.queryMissing([closure.top]));
}

async function dryRun(): Promise<void> {
  const top = printStorePath(DEFAULT_STORE_DIR, closure.top);
  const keys = ['--trusted-public-keys', closure.publicKey];
  const args = ['realise', '--dry-run', '--json', '--store', store, '--substituter', server.url, ...keys, top];
  check(JSON.parse(await output(process.execPath, [program, ...args], { env: { XDG_CACHE_HOME: cacheHome } })));
}

/** Never time a wrong answer. */
function check({ willSubstitute, unknown, narSize }: MissingPaths): void {
  assert.deepEqual([willSubstitute.length, unknown.length, narSize], [PATHS, 0, closure.narSize]);
}

const remembered = freshPlace();
const store = freshPlace();
const cacheHome = freshPlace();

/** Once for each server, as its port is new. */
async function remember(): Promise<void> {
  await using first = await open(remembered);
  await discover(first);
}

export const bench: Bench = new Bench({
  name: `discovery of ${PATHS.toLocaleString('en')} paths over HTTP`,
  iterations: 8,
  time: 0,
  warmupIterations: 2,
  warmupTime: 0,
  setup: async () => {
    server = await startServer(cache, join(scratch, 'server'));
  },
  teardown: async () => server[Symbol.asyncDispose](),
})
  .add(
    'nothing is remembered (wanted: 2,000 ms)',
    () => discover(),
    eachWith(() => undefined),
  )
  .add('nothing is remembered, what comes is written into a file', () => discover(), eachWith(freshPlace))
  .add('all is remembered in a file', () => discover(), { beforeAll: remember, ...eachWith(() => remembered) })
  .add('sluice realise --dry-run, all is remembered (wanted: 500 ms)', dryRun, { beforeAll: dryRun });
