/** `--trace` as a user meets it: on the command line, where all goes well, and where it does not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { TraceEvent } from '../../../src/cli/trace/trace-event.ts';
import { runCli } from '../../support/cli.ts';
import { serveCache } from '../../support/http-cache.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { isAsync, isComplete, readTrace, storyOf } from '../../support/read-trace.ts';
import { MAIN, run } from '../../support/run.ts';
import { type SmallCache, smallCache } from '../../support/small-cache.ts';

const resources = new AsyncDisposableStack();
let dir: string;
let cache: SmallCache;
let files = 0;

before(async () => {
  dir = await temporaryDirectory(resources);
  cache = await smallCache(join(dir, 'cache'), '?compression=zstd');
});
after(() => resources.disposeAsync());

const newName = (): string => join(dir, `new-${files++}`);
const read = async (file: string): Promise<TraceEvent[]> => readTrace(await readFile(file, 'utf8'));
const names = (events: readonly { readonly name: string }[]): string[] => [...new Set(events.map(({ name }) => name))];

const WHOLE_STORY = ['query', 'queue', 'transfer', 'register'].flatMap((phase) => [`b ${phase}`, `e ${phase}`]);

test('realise draws every goal from its query to its registration, and says how to look at it', async () => {
  const file = newName();
  const args = ['realise', '--trace', file, '--store', newName(), '--from', cache.uri, cache.paths[2]];
  const { code, stdout, stderr } = await runCli(args);
  assert.deepEqual([code, stdout], [0, `${cache.paths[2]}\n`]);
  assert.ok(stderr.endsWith(`trace written to '${file}': open it in https://ui.perfetto.dev or chrome://tracing\n`));
  const events = await read(file);
  for (const name of ['base', 'lib-1.0', 'app-2.0']) {
    assert.deepEqual(storyOf(events, name).slice(2, -2), WHOLE_STORY);
    const transfer = events.filter(isComplete).find((event) => event.name === name)!;
    assert.equal(transfer.args!.substituter, cache.uri);
  }
  const parts = names(events.filter(isComplete)).filter((name) => !/base|lib|app/.test(name));
  assert.deepEqual(
    parts.filter((name) => !['wait', 'work', 'decode', 'hash', 'write', 'commit'].includes(name)),
    [],
  );
  assert.ok(parts.includes('wait') && parts.includes('commit'));
});

test('what a worker thread did lies within the transfer of its goal: both clocks agree', async () => {
  const file = newName();
  await runCli(['realise', '-q', '--trace', file, '--store', newName(), '--from', cache.uri, cache.paths[2]]);
  const events = await read(file);
  for (const name of ['base', 'lib-1.0', 'app-2.0']) {
    const slice = events.filter(isComplete).find((event) => event.name === name)!;
    const goal = events.filter(isAsync).filter(({ id2 }) => id2.local === slice.bind_id);
    const [begin, end] = goal.filter((event) => event.name === 'transfer').map(({ ts }) => ts);
    // A clock that is off would squeeze it to nothing, at one end or the other.
    assert.ok(slice.dur > 0 && slice.ts > begin! && slice.ts + slice.dur < end!, name);
  }
});

test('copy draws uploads as well', async () => {
  const [store, file] = [newName(), newName()];
  const into = ['copy', '--trace', file, '-q', '--from', cache.uri, '--to', store, cache.paths[2]];
  assert.equal((await runCli(into)).code, 0);
  assert.deepEqual(storyOf(await read(file), 'app-2.0').slice(2, -2), WHOLE_STORY);
  const out = ['copy', '--trace', file, '-q', '--from', store, '--to', `file://${newName()}`, cache.paths[2]];
  assert.equal((await runCli(out)).code, 0);
  const events = await read(file);
  assert.equal(events.filter(({ name }) => name === 'commit').length, 3);
  assert.ok(storyOf(events, 'app-2.0').includes('e transfer'));
});

test('a run that fails leaves a trace that says so', async () => {
  const missing = (name: string) => (name.startsWith('nar/') ? { status: 404 } : undefined);
  await using server = await serveCache(cache.dir, missing);
  const file = newName();
  const args = ['realise', '--trace', file, '-q', '--store', newName(), '--from', server.url, cache.paths[2]];
  assert.equal((await runCli(args)).code, 1);
  const ends = (await read(file)).filter(isAsync).filter(({ ph, args }) => ph === 'e' && args?.state === 'failed');
  assert.ok(ends.length > 0);
});

async function interrupt(...signals: readonly NodeJS.Signals[]): Promise<readonly TraceEvent[]> {
  const reached = Promise.withResolvers<void>();
  await using server = await serveCache(cache.dir, (name) => {
    if (!name.startsWith('nar/')) return undefined;
    reached.resolve();
    return { after: new Promise(() => {}) };
  });
  const file = newName();
  const args = ['realise', '--trace', file, '--store', newName(), '--from', server.url, cache.paths[2]];
  using child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const closed = once(child, 'close');
  const errors = text(child.stderr);
  await reached.promise;
  for (const signal of signals) child.kill(signal);
  const [code] = (await closed) as [number | null];
  assert.ok(code === 130 || code === 143, await errors);
  return await read(file);
}

const statesOf = (events: readonly TraceEvent[], name: string): unknown[] =>
  events.filter((event) => event.ph === 'e' && event.name === name).map(({ args }) => args?.state);

test('a run that is interrupted leaves a whole trace', async () => {
  assert.deepEqual(statesOf(await interrupt('SIGINT'), 'app-2.0'), ['cancelled']);
});

test('a run that is interrupted twice, and stops at once, leaves a whole trace', async () => {
  const states = statesOf(await interrupt('SIGTERM', 'SIGINT'), 'app-2.0');
  assert.ok(states.length === 1 && ['cancelled', 'interrupted'].includes(states[0] as string), String(states));
});

test('a process that exits in the middle of things leaves a whole trace', async () => {
  const file = newName();
  const url = new URL('../../../src/cli/trace/open-trace.ts', import.meta.url).href;
  const program = `
    import { EventEmitter } from 'eventemitter3';
    import { openTrace } from '${url}';
    const events = new EventEmitter();
    openTrace('${file}').follow(events, { storeDir: '/nix/store' });
    events.emit('goalStarted', { path: '${cache.base.info.path}' });
    process.exit(3);`;
  const { code, stderr } = await run(process.execPath, ['--input-type=module', '--eval', program]);
  assert.equal(code, 3, stderr);
  assert.deepEqual(statesOf(await read(file), 'base'), ['interrupted']);
});

test('a trace that cannot be written is an error before any work is done', async () => {
  const store = newName();
  const file = join(dir, 'missing', 'trace.json');
  const result = await runCli(['realise', '--trace', file, '--store', store, '--from', cache.uri, cache.paths[2]]);
  assert.deepEqual([result.code, result.stdout], [1, '']);
  assert.match(result.stderr, /^error: cannot write trace '.*\/missing\/trace\.json': .*no such file or directory/);
  await assert.rejects(readdir(store), { code: 'ENOENT' });
});

test('a trace that could not be written in full is an error, after the work', {
  skip: process.platform !== 'linux',
}, async () => {
  const args = ['realise', '--trace', '/dev/full', '-q', '--store', newName(), '--from', cache.uri, cache.paths[2]];
  const { code, stdout, stderr } = await runCli(args);
  assert.deepEqual([code, stdout], [1, `${cache.paths[2]}\n`]);
  assert.match(stderr, /^error: cannot write trace '\/dev\/full': .*no space left on device/);
});

test('nothing is left on the process', async () => {
  const before = process.listenerCount('exit');
  await runCli(['realise', '-q', '--trace', newName(), '--store', newName(), '--from', cache.uri, cache.paths[0]]);
  assert.equal(process.listenerCount('exit'), before);
});
