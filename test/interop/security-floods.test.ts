/** Caches that send far more than anybody asked for: each is given up for another, and takes no memory to speak of. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { serveFaults } from '../support/fault-server.ts';
import type { Fault } from '../support/faults.ts';
import { layeredCache } from '../support/layered-cache.ts';
import { MAIN, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const MEBIBYTE = 2 ** 20;
/** What a run may take, in MiB, where one that meets no hostile cache takes 150 to 200. */
const LIMIT = 300;
/** Of one file: what is read before it is given up, and what buffers of the system hold. */
const MAX_SENT = 20 * MEBIBYTE;

const REPORTER = fileURLToPath(new URL('../support/report-max-rss.ts', import.meta.url));

const resources = new AsyncDisposableStack();
after(() => resources.disposeAsync());
const scratch = resources.use(await makeScratch(64));
const cache = await layeredCache(join(scratch.path, 'cache'));
const good = resources.use(await serveFaults(cache.dir));

const bomb: Fault = {
  kind: 'replace',
  body: gzipSync(Buffer.alloc(200 * MEBIBYTE), { level: 9 }),
  headers: { 'content-encoding': 'gzip' },
};
const isNarInfo = (name: string): boolean => name.endsWith('.narinfo');
const isNar = (name: string): boolean => name.startsWith('nar/');
const isCacheInfo = (name: string): boolean => name === 'nix-cache-info';

const FLOODS: readonly (readonly [name: string, isMeant: (name: string) => boolean, fault: Fault])[] = [
  ['narinfos of 100 MB', isNarInfo, { kind: 'flood', length: 100 * MEBIBYTE }],
  ['narinfos without end', isNarInfo, { kind: 'flood' }],
  ['narinfos of 200 MB, compressed to 200 kB', isNarInfo, bomb],
  ['headers without end', isNarInfo, { kind: 'endlessHeaders' }],
  ['a nix-cache-info without end', isCacheInfo, { kind: 'flood' }],
  ['NARs without end', isNar, { kind: 'flood' }],
  ['NARs of 200 MB, compressed to 200 kB', isNar, bomb],
];

for (const [name, isMeant, fault] of FLOODS) {
  test(`a cache with ${name}`, async (t) => {
    await using hostile = await serveFaults(cache.dir, (request) => (isMeant(request.name) ? fault : undefined));
    const rss = await realise([hostile.url, good.url]);
    t.diagnostic(`${rss} MiB, ${Math.round(hostile.sent() / MEBIBYTE)} MiB sent`);
    assert.ok(rss < LIMIT, `${rss} MiB`);
    for (const each of new Set(hostile.requests.map(({ name }) => name))) {
      const times = hostile.requests.filter(({ name }) => name === each).length;
      assert.ok(hostile.sent(each) < times * MAX_SENT, `${hostile.sent(each)} bytes of '${each}' were sent`);
    }
  });
}

let stores = 0;

/** The largest resident set size of a run in a process of its own, in MiB. */
async function realise(substituters: readonly string[]): Promise<number> {
  const place = join(scratch.path, String(stores++));
  const report = `${place}-max-rss`;
  const from = substituters.flatMap((uri) => ['--substituter', uri]);
  const keys = ['--trusted-public-keys', cache.publicKey, '--connect-timeout', '2'];
  const args = ['--import', REPORTER, MAIN, 'realise', cache.top, '--store', join(place, 'store'), ...from, ...keys];
  const env = { SLUICE_TEST_MAX_RSS: report, XDG_CACHE_HOME: join(place, 'cache') };
  const { code, stderr } = await run(process.execPath, args, { env });
  assert.equal(code, 0, stderr);
  return Math.round(Number(await readFile(report, 'utf8')) / 1024);
}
