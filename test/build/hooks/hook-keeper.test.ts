import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { HookKeeper } from '../../../src/build/hooks/hook-keeper.ts';
import { makeSettings, type Settings } from '../../../src/settings.ts';
import { makeScratch } from '../../support/scratch.ts';

const offer = (drvPath: string) => ({ amWilling: true, system: 'x86_64-linux', drvPath, features: [] });
const { signal } = new AbortController();

/**
 * A hook that answers by what is in the name of the derivation that it is offered, and writes down that it began.
 *
 * @param after - what it does after each answer.
 */
async function hookIn(dir: string, after = ''): Promise<Settings> {
  const file = join(dir, 'hook');
  const text = `#!${process.execPath}
const answers = { no: 'decline', later: 'postpone', never: 'decline-permanently', yes: 'accept' };
require('node:fs').appendFileSync('${dir}/begun', 'begun\\n');
let heard = '';
process.stdin.setEncoding('latin1').on('data', (chunk) => {
  heard += chunk;
  for (let word; (word = /(no|later|never|yes)-please/.exec(heard)) !== null; ) {
    heard = heard.slice(word.index + word[0].length);
    console.error('# ' + answers[word[1]]);
    ${after}
  }
});
`;
  await writeFile(file, text, { mode: 0o755 });
  return makeSettings({ buildHook: file });
}

async function begun(dir: string): Promise<number> {
  return (await readFile(join(dir, 'begun'), 'utf8')).split('\n').length - 1;
}

function ask(keeper: HookKeeper, settings: Settings, ...names: readonly string[]): Promise<string[]> {
  return Promise.all(
    names.map(async (name) => {
      const outcome = await keeper.offer(offer(`${name}-please`), { settings, signal, onLine: () => {} });
      if (outcome.answer === 'accept') outcome.hook[Symbol.dispose]();
      return outcome.answer;
    }),
  );
}

test('one process answers all offers until it accepts one, and the next offer starts another', async () => {
  await using scratch = await makeScratch();
  using keeper = new HookKeeper();
  const settings = await hookIn(scratch.path);
  assert.deepEqual(await ask(keeper, settings, 'no', 'later', 'no'), ['decline', 'postpone', 'decline']);
  assert.equal(await begun(scratch.path), 1);
  assert.deepEqual(await ask(keeper, settings, 'yes'), ['accept']);
  assert.equal(await begun(scratch.path), 1);
  assert.deepEqual(await ask(keeper, settings, 'no', 'never'), ['decline', 'decline-permanently']);
  assert.equal(await begun(scratch.path), 2);
});

test('one that ended after its answer is replaced', async () => {
  await using scratch = await makeScratch();
  using keeper = new HookKeeper();
  const settings = await hookIn(scratch.path, 'process.exit();');
  for (let time = 1; time <= 3; time++) {
    assert.deepEqual(await ask(keeper, settings, 'no'), ['decline']);
    assert.equal(await begun(scratch.path), time);
  }
});

test('other settings are for another process', async () => {
  await using scratch = await makeScratch();
  using keeper = new HookKeeper();
  for (let time = 1; time <= 2; time++) {
    assert.deepEqual(await ask(keeper, await hookIn(scratch.path), 'no'), ['decline']);
    assert.equal(await begun(scratch.path), time);
  }
});

test('who gives up its offer ends the process, and the next one gets another', async () => {
  await using scratch = await makeScratch();
  using keeper = new HookKeeper();
  const settings = await hookIn(scratch.path);
  const controller = new AbortController();
  const given = keeper.offer(offer('silence'), { settings, signal: controller.signal, onLine: () => {} });
  const next = ask(keeper, settings, 'no');
  controller.abort(new Error('stop'));
  await assert.rejects(given, /stop/);
  assert.deepEqual(await next, ['decline']);
});

test('a kept hook does not keep the process alive', async () => {
  await using scratch = await makeScratch();
  using keeper = new HookKeeper();
  const active = (): number => process.getActiveResourcesInfo().filter((name) => /Process|Pipe/.test(name)).length;
  const before = active();
  assert.deepEqual(await ask(keeper, await hookIn(scratch.path), 'no'), ['decline']);
  assert.equal(active(), before);
});
