import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, type StorePath } from '../../src/formats/store-path.ts';
import { Closures } from '../../src/scheduler/closures.ts';
import { infoOf, NAMED } from '../support/substituters.ts';

/** A database that says what refers to what, and counts what it is asked for. */
function open(references: Readonly<Record<string, readonly string[]>>): { closures: Closures; asked: StorePath[] } {
  const asked: StorePath[] = [];
  const infos = new Map(
    Object.entries(references).map(([name, names]) => [NAMED(name), infoOf(NAMED(name), names.map(NAMED))]),
  );
  const queryPathInfos = async (paths: Iterable<StorePath>): Promise<Map<StorePath, PathInfo>> => {
    const all = [...paths];
    asked.push(...all);
    return new Map(all.filter((path) => infos.has(path)).map((path) => [path, infos.get(path)!]));
  };
  return { closures: new Closures({ storeDir: DEFAULT_STORE_DIR, uri: 'test', queryPathInfos }), asked };
}

const { signal } = new AbortController();
const names = (infos: readonly PathInfo[]): string => infos.map(({ path }) => path.slice(33)).join(' ');

describe('closures of inputs', () => {
  test('come with references first, each path once', async () => {
    const { closures } = open({ app: ['lib', 'app', 'tool'], lib: ['base'], tool: ['base', 'lib'], base: [] });
    assert.equal(names(await closures.query(['tool', 'app'].map(NAMED), signal)), 'base lib tool app');
  });

  test('are asked for once, and not at all for what has been built', async () => {
    const { closures, asked } = open({ app: ['lib'], lib: [] });
    closures.add(infoOf(NAMED('built'), [NAMED('app')]));
    await closures.query([NAMED('app')], signal);
    assert.equal(names(await closures.query([NAMED('built')], signal)), 'lib app built');
    assert.deepEqual(asked, [NAMED('app'), NAMED('lib')]);
    closures.clear();
    await closures.query([NAMED('app')], signal);
    assert.equal(asked.length, 4);
  });

  test('may be as deep as they like', async () => {
    const { closures } = open({});
    for (let id = 0; id < 20_000; id++) closures.add(infoOf(NAMED(`p${id}`), id === 0 ? [] : [NAMED(`p${id - 1}`)]));
    assert.equal((await closures.query([NAMED('p19999')], signal)).length, 20_000);
  });

  test('of what is not valid are an error that names it', async () => {
    const { closures } = open({ app: ['gone'] });
    await assert.rejects(closures.query([NAMED('app')], signal), /^InvalidPathError: path '.*-gone' is not valid/);
  });
});
