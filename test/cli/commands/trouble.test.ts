/** What is said of a run in which caches fail: each thing once, and the numbers at the end. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type CliResult, runCli } from '../../support/cli.ts';
import { type HttpCache, type Misbehave, serveCache } from '../../support/http-cache.ts';
import { type LayeredCache, layeredCache } from '../../support/layered-cache.ts';
import { makeScratch } from '../../support/scratch.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let cache: LayeredCache;
let good: HttpCache;
let runs = 0;

before(async () => {
  dir = resources.use(await makeScratch()).path;
  cache = await layeredCache(join(dir, 'cache'));
  good = resources.use(await serveCache(cache.dir));
});
after(() => resources.disposeAsync());

interface Run extends CliResult {
  readonly warnings: readonly string[];
  readonly summary: readonly string[];
  /** The lines of the provenance file. */
  readonly records: readonly Record<string, unknown>[];
}

/** Substitutes 200 paths, of which all are in a good cache. */
async function realise(...args: readonly string[]): Promise<Run> {
  const provenance = join(dir, `provenance-${runs}`);
  const store = join(dir, `store-${runs++}`);
  const more = ['--trusted-public-keys', cache.publicKey, '--provenance', provenance];
  const result = await runCli(['realise', cache.top, '--store', store, ...more, ...args]);
  const said = result.stderr.trimEnd().split('\n');
  const text = await readFile(provenance, 'utf8');
  return {
    ...result,
    warnings: said.filter((line) => line.startsWith('warning: ')),
    summary: said.slice(said.findIndex((line) => line.startsWith('copied '))),
    records: text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

async function withBad(misbehave: Misbehave, run: (bad: HttpCache) => Promise<void>): Promise<void> {
  await using bad = await serveCache(cache.dir, misbehave);
  await run(bad);
}

test('a cache that lacks all files is told once, and counted at the end', () =>
  withBad(
    (name) => (name.startsWith('nar/') ? { status: 404 } : undefined),
    async (bad) => {
      const { code, warnings, summary, records } = await realise('--from', bad.url, '--from', good.url);
      assert.equal(code, 0);
      const failures = warnings.filter((warning) => !warning.includes('is set aside for'));
      assert.equal(failures.length, 1);
      assert.match(failures[0]!, /^warning: the NAR of '.*' is gone: .*; trying 'http/);
      assert.equal(summary[1]?.replace(/, \d+ KiB downloaded/, ''), `  ${good.url}  200 paths`);
      assert.match(summary[2]!, new RegExp(`^  ${bad.url} +0 paths$`));
      assert.match(summary[3]!, /^ {4}\d+ failures \(gone\), set aside (for|\d+ times)/);
      const failed = records.flatMap(({ failures = [] }) => failures as { cache: string; code: string }[]);
      assert.ok(failed.length >= 3 && records.length === 200);
      assert.ok(failed.every(({ cache: from, code }) => from === bad.url && code === 'ERR_SUBSTITUTE_GONE'));
    },
  ));

test('a cache that is down is told when it fails and when it is set aside', () =>
  withBad(
    (name) => (name === 'nix-cache-info' ? undefined : { status: 503 }),
    async (bad) => {
      const { code, warnings, summary } = await realise('--from', bad.url, '--from', good.url);
      assert.equal(code, 0);
      assert.match(warnings[0]!, /answered with status 503; trying 'http/);
      for (const warning of warnings.slice(1))
        assert.match(warning, /is set aside for .*: status 503; the other cache/);
      assert.ok(summary.some((line) => /^ {4}\d+ failures \(status 503\), set aside (for|\d+ times)/.test(line)));
    },
  ));

test('in detail every failure is told', () =>
  withBad(
    (name) => (name.startsWith('nar/') ? { status: 404 } : undefined),
    async (bad) => {
      const { warnings, records } = await realise('--from', bad.url, '--from', good.url, '--verbose');
      const failed = records.flatMap(({ failures = [] }) => failures as unknown[]);
      assert.ok(failed.length >= 3);
      assert.equal(warnings.filter((warning) => warning.includes('is gone')).length >= failed.length, true);
    },
  ));

test('one cache that delivers all has no line of its own, and provenance names the key, but no password', async () => {
  const uri = good.url.replace('//', '//me:secret@');
  const { code, stderr, summary, records } = await realise('--from', uri);
  assert.equal(code, 0);
  assert.equal(summary.length, 1);
  assert.equal(records.length, 200);
  assert.ok(
    records.every(({ key, trustedBy, cache }) => key === 'test-1' && trustedBy === 'signature' && cache === good.url),
  );
  assert.doesNotMatch(stderr + JSON.stringify(records), /secret/);
});

test('references come before what refers to them in the provenance file', async () => {
  const { records } = await realise('--from', good.url);
  assert.match(String(records.at(-1)?.path), /-layer-3-0$/);
});

test('--provenance has no place beside --dry-run', async () => {
  const args = ['realise', cache.top, '--dry-run', '--provenance', join(dir, 'never')];
  const { code, stderr } = await runCli(args);
  assert.equal(code, 1);
  assert.match(stderr, /'--provenance <file>' cannot be used with option '--dry-run'/);
});

test('a cache that stumbles, and has no other beside it, is told once and asked again', () => {
  const stumbled = new Set<string>();
  const misbehave: Misbehave = (name) => {
    if (!name.endsWith('.narinfo') || stumbled.has(name)) return undefined;
    stumbled.add(name);
    return { status: 500 };
  };
  return withBad(misbehave, async (bad) => {
    const { code, warnings, summary } = await realise('--from', bad.url, '--filetransfer-retry-delay', '1');
    assert.equal(code, 0);
    assert.match(warnings[0]!, /^warning: 'http.*answered with status 500; trying again$/);
    assert.equal(warnings.filter((warning) => warning.endsWith('trying again')).length, 1);
    assert.ok(summary.some((line) => line.startsWith('    200 requests repeated')));
  });
});
