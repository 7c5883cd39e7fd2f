import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { SluiceError } from '../../src/errors.ts';
import { makeSettings } from '../../src/settings.ts';
import type { Store } from '../../src/stores/store.ts';
import { Substituters } from '../../src/substituters/substituters.ts';
import { serveCache } from '../support/http-cache.ts';
import { makeScratch } from '../support/scratch.ts';
import { NAMED, ScriptedStore } from '../support/substituters.ts';

const settings = makeSettings({ connectTimeout: 1 });

interface Told {
  readonly uri: string;
  readonly error: SluiceError;
  readonly milliseconds: number;
}

async function open(given: readonly (Store | string)[], isOptional = false) {
  const told: Told[] = [];
  const substituters = await Substituters.open(given, {
    settings,
    isOptional,
    onSetAside: (uri, error, milliseconds) => told.push({ uri, error, milliseconds }),
    onBack: () => {},
  });
  return { substituters, told };
}

/** Caches in directories `0`, `1`, … of which each says a priority. */
async function makeCaches(directory: string, priorities: readonly (number | undefined)[]): Promise<string[]> {
  return Promise.all(
    priorities.map(async (priority, index) => {
      const cache = join(directory, String(index));
      await mkdir(cache);
      const line = priority === undefined ? '' : `Priority: ${priority}\n`;
      await writeFile(join(cache, 'nix-cache-info'), `StoreDir: /nix/store\n${line}`);
      return `file://${cache}`;
    }),
  );
}

async function order(substituters: Substituters): Promise<string[]> {
  return (await substituters.inOrder()).map(({ uri }) => uri);
}

describe('substituters', () => {
  test('are asked by the priority that they give themselves, and in the order of their names where it is the same', async () => {
    await using scratch = await makeScratch();
    const caches = await makeCaches(scratch.path, [40, 30, 40, 10]);
    const { substituters } = await open(caches);
    await using _ = substituters;
    assert.deepEqual(await order(substituters), [caches[3], caches[1], caches[0], caches[2]]);
  });

  test('come first where they give themselves none', async () => {
    await using scratch = await makeScratch();
    const caches = await makeCaches(scratch.path, [40, undefined]);
    const { substituters } = await open(caches);
    await using _ = substituters;
    assert.deepEqual(await order(substituters), [caches[1], caches[0]]);
  });

  test('have the priority that their URI says', async () => {
    await using scratch = await makeScratch();
    const [first, second] = await makeCaches(scratch.path, [40, 30]);
    const { substituters } = await open([`${first}?priority=20`, second!]);
    await using _ = substituters;
    assert.deepEqual(await order(substituters), [`${first}?priority=20`, second]);
  });

  test('are opened once, however often they are named', async () => {
    await using scratch = await makeScratch();
    const [cache] = await makeCaches(scratch.path, [40]);
    const { substituters } = await open([cache!, `${cache}/`, cache!]);
    await using _ = substituters;
    assert.equal(substituters.all.length, 1);
  });

  test('are not waited for where their priority does not come, and come last then', async () => {
    await using scratch = await makeScratch();
    const [slow, good] = await makeCaches(scratch.path, [1, 40]);
    await using server = await serveCache(slow!.slice('file://'.length), () => ({ after: new Promise(() => {}) }));
    const { substituters } = await open([server.url, good!]);
    await using _ = substituters;
    assert.deepEqual(await order(substituters), [good, server.url]);
  });

  test('are not asked for anything where there is only one', async () => {
    await using scratch = await makeScratch();
    await using server = await serveCache(scratch.path);
    const { substituters } = await open([server.url]);
    await using _ = substituters;
    assert.deepEqual([await order(substituters), server.requests], [[server.url], []]);
  });

  test('are of no use where they are no binary cache, which is told once', async () => {
    await using scratch = await makeScratch();
    await using server = await serveCache(scratch.path);
    const { substituters, told } = await open([server.url, new ScriptedStore('b')]);
    await using _ = substituters;
    await substituters.inOrder();
    assert.equal(told.length, 1);
    assert.deepEqual([told[0]!.uri, told[0]!.milliseconds], [server.url, Number.POSITIVE_INFINITY]);
    assert.match(told[0]!.error.message, /is no binary cache/);
    assert.ok(substituters.all[0]!.breaker.isDisabled);
  });

  test('are set aside at once where they do not answer what they are, which is told', async () => {
    await using scratch = await makeScratch();
    const [good] = await makeCaches(scratch.path, [40]);
    await using server = await serveCache(scratch.path, () => ({ status: 502 }));
    const { substituters, told } = await open([server.url, good!]);
    await using _ = substituters;
    assert.deepEqual(await order(substituters), [good, server.url]);
    assert.deepEqual(
      told.map(({ uri }) => uri),
      [server.url],
    );
    assert.ok(substituters.all[0]!.breaker.isOpen);
  });

  test('are left out where they cannot be opened, if they are optional', async () => {
    const { substituters } = await open(['http://user:secret@[', new ScriptedStore('b')], true);
    await using _ = substituters;
    assert.deepEqual(await order(substituters), ['b']);
    const [{ uri, error } = assert.fail()] = substituters.unopened;
    assert.ok(!`${uri} ${error.message}`.includes('secret'));
  });

  test('are an error where they cannot be opened, if they were asked for', async () => {
    await assert.rejects(open(['gopher://cache']), /unknown kind of store 'gopher'/);
  });

  test('tell whether they want to be asked for many paths', async () => {
    await using scratch = await makeScratch();
    const caches = await makeCaches(scratch.path, [40, 40]);
    await writeFile(join(scratch.path, '0/nix-cache-info'), 'StoreDir: /nix/store\nWantMassQuery: 1\n');
    const { substituters } = await open(caches);
    await using _ = substituters;
    assert.deepEqual(await Promise.all(substituters.all.map((each) => each.wantsMassQuery())), [true, false]);
  });

  test('learn from what they are asked', async () => {
    const store = new ScriptedStore('a', (asked) => asked.lacks());
    const { substituters } = await open([store]);
    await using _ = substituters;
    const { answer } = substituters.all[0]!.ask(NAMED('x'), {});
    assert.equal(await answer, undefined);
  });
});
