/** What `--log-format internal-json` prints, beside what stock Nix prints for the same paths. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli } from '../support/cli.ts';
import { serveCache } from '../support/http-cache.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { lines } from '../support/run.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';

interface Message {
  readonly action: string;
  readonly id?: number;
  readonly type?: number;
  readonly level?: number;
  readonly fields?: readonly unknown[];
}

function parse(stderr: string): Message[] {
  return lines(stderr).map((line) => {
    assert.ok(line.startsWith('@nix '), line);
    return JSON.parse(line.slice(5)) as Message;
  });
}

/** Of each kind of message: its keys and the types of its fields. */
function shapes(messages: readonly Message[]): Map<string, string> {
  return new Map(
    messages.map((message) => {
      const { action, type, fields = [], level } = message;
      const kind = action === 'start' ? `start ${type} level ${level}` : `${action} ${type}`;
      const keys = Object.keys(message).filter((key) => key !== 'parent'); // newer Nix has it
      return [kind, JSON.stringify({ keys: keys.sort(), fields: fields.map((field) => typeof field) })];
    }),
  );
}

/** Messages differ in what they say; activities must not. */
const isActivity = ([kind]: readonly [string, string]): boolean => !kind.startsWith('msg');

test('every activity has the shape that stock Nix gives it', { skip: nixMissing }, async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  const cache = await smallCache(join(dir, 'cache'), '?compression=xz');
  const server = resources.use(await serveCache(cache.dir));
  const nix = await Nix.open(join(dir, 'home'));

  const stock = parse(await realiseWithNix(nix, join(dir, 'stock'), server.url, cache));
  const args = ['realise', '--log-format', 'internal-json', '--store', join(dir, 'ours'), '--from', server.url];
  const { stderr, code } = await runCli([...args, cache.paths[2]]);
  assert.equal(code, 0, stderr);
  const ours = parse(stderr);

  const known = shapes(stock);
  const told = [...shapes(ours)].filter(isActivity);
  for (const [kind, shape] of told) assert.equal(shape, known.get(kind), kind);
  const activities = told.map(([kind]) => kind).filter((kind) => kind.startsWith('start'));
  assert.deepEqual(activities.sort(), [
    'start 100 level 3',
    'start 101 level 4',
    'start 102 level 0',
    'start 103 level 0',
    'start 108 level 0',
  ]);
});

async function realiseWithNix(nix: Nix, root: string, url: string, { paths }: SmallCache): Promise<string> {
  const options = ['--option', 'substitute', 'true', '--option', 'substituters', url, '--log-format', 'internal-json'];
  const { stderr, code } = await nix.run('nix-store', '--store', root, ...options, '--realise', paths[2]);
  assert.equal(code, 0, stderr);
  return stderr;
}

test('every activity that starts is stopped, where paths fail, too', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  const cache = await smallCache(join(dir, 'cache'), '?compression=xz');
  const missing = (name: string) => (name.startsWith('nar/') ? { status: 404 } : undefined);
  const server = resources.use(await serveCache(cache.dir, missing));
  const args = ['realise', '--log-format', 'internal-json', '--store', join(dir, 'store'), '--from', server.url];
  const { stderr, code } = await runCli([...args, cache.paths[2]]);
  assert.equal(code, 1);
  const messages = parse(stderr);
  const ids = (action: string) =>
    messages
      .filter((message) => message.action === action)
      .map(({ id }) => id!)
      .sort();
  assert.deepEqual(ids('stop'), ids('start'));
  assert.ok(messages.some(({ action, level }) => action === 'msg' && level === 0));
});
