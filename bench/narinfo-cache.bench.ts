/**
 * Remembering narinfos on disk: what a run of 5,000 paths writes, and what the next one reads and parses in place of
 * asking a cache. Each round that writes has a file of its own in /dev/shm.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Bench } from 'tinybench';
import { hashBytes } from '../src/formats/hash.ts';
import { parseNarInfo, printNarInfo } from '../src/formats/narinfo.ts';
import { DEFAULT_STORE_DIR, hashPart, makeStorePath, type StorePath } from '../src/formats/store-path.ts';
import { makeSettings } from '../src/settings.ts';
import { openNarInfoCache } from '../src/stores/narinfo-disk-cache.ts';

const PATHS = 5_000;
const REFERENCES = 8;
const URL = 'https://cache.example.org';

const pathOf = (name: string): StorePath => makeStorePath(DEFAULT_STORE_DIR, 'source', hashBytes('sha256', name), name);
const names = Array.from({ length: PATHS }, (_, id) => pathOf(`package-${id}-2.0`));
const texts = names.map((path, id) =>
  printNarInfo(DEFAULT_STORE_DIR, {
    path,
    narHash: hashBytes('sha256', `nar-${id}`),
    narSize: 1_234_567 + id,
    references: Array.from({ length: REFERENCES }, (_, nth) => names[(id * 7 + nth) % PATHS]!).sort(),
    signatures: [`bench-1:${'A'.repeat(86)}==`],
    url: `nar/${id}.nar.xz`,
    compression: 'xz',
  }),
);
const hashParts = names.map(hashPart);

const dir = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'sluice-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true }));
let files = 0;

/** Writes all, and answers into which file. */
function write(): string {
  const file = join(dir, `${files++}.sqlite`);
  using all = openNarInfoCache(file, makeSettings());
  const cache = all.of(URL, DEFAULT_STORE_DIR);
  for (const [id, part] of hashParts.entries()) cache.rememberNarInfo(part, texts[id]);
  return file;
}

async function read(file: string): Promise<(string | undefined)[]> {
  using all = openNarInfoCache(file, makeSettings());
  const cache = all.of(URL, DEFAULT_STORE_DIR);
  return await Promise.all(hashParts.map(async (part) => (await cache.narInfo(part))?.value));
}

// Never time a wrong answer, and say how long the event loop was held.
const written = write();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
assert.deepEqual(await read(written), texts);
delay.disable();
const held = `event loop held for at most ${Math.round(delay.max / 1e6)} ms by reading`;

export const bench: Bench = new Bench({
  name: `narinfo cache, ${PATHS} narinfos with ${REFERENCES} references each; ${held}`,
  iterations: 10,
  time: 0,
  warmupIterations: 2,
  warmupTime: 0,
})
  .add('write', () => rmSync(write()))
  .add('read', () => read(written))
  .add('read and parse', async () => {
    for (const text of await read(written)) parseNarInfo(DEFAULT_STORE_DIR, text!);
  });
