import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StorePath } from '../../src/formats/store-path.ts';
import { type FoundPath, queryMissing } from '../../src/scheduler/query-missing.ts';
import { infoOf, NAMED } from '../support/substituters.ts';

const [app, library, tool, lost] = ['app', 'library', 'tool', 'lost'].map(NAMED) as [
  StorePath,
  StorePath,
  StorePath,
  StorePath,
];

function ask(paths: readonly StorePath[], references: Readonly<Record<string, readonly StorePath[]>>, valid = [tool]) {
  const asked: StorePath[] = [];
  const find = async (path: StorePath): Promise<FoundPath | undefined> => {
    asked.push(path);
    const found = references[path];
    return found && { substituter: 'a', info: infoOf(path, found) };
  };
  const missing = queryMissing(paths, { isValidPath: async (path) => valid.includes(path), find });
  return missing.then((answer) => ({ ...answer, asked }));
}

describe('what is missing', () => {
  test('is the closure, without what is valid', async () => {
    const missing = await ask([app], { [app]: [library, tool, app], [library]: [] });
    assert.deepEqual(
      missing.willSubstitute.map(({ path }) => path),
      [app, library],
    );
    assert.deepEqual([missing.narSize, missing.downloadSize, missing.unknown], [240, 240, []]);
    assert.ok(!missing.asked.includes(tool));
  });

  test('is asked for once, however many refer to it', async () => {
    const { asked } = await ask([app, library], { [app]: [library], [library]: [app] });
    assert.deepEqual(asked.toSorted(), [app, library].toSorted());
  });

  test('is unknown where nobody has it, among what is referred to as well', async () => {
    const { unknown } = await ask([app], { [app]: [lost] });
    assert.deepEqual(unknown, [lost]);
  });

  test('is nothing where all is valid', async () => {
    const { willSubstitute, unknown, narSize } = await ask([tool], {});
    assert.deepEqual([willSubstitute, unknown, narSize], [[], [], 0]);
  });

  test('may be as deep as it likes', async () => {
    const chain = Array.from({ length: 20_000 }, (_, index) => NAMED(`link-${index}`));
    const references = Object.fromEntries(chain.map((path, index) => [path, chain.slice(index + 1, index + 2)]));
    const { willSubstitute } = await ask([chain[0]!], references);
    assert.equal(willSubstitute.length, chain.length);
  });

  test('cannot be told where asking fails', async () => {
    const find = (): Promise<never> => Promise.reject(new Error('as asked'));
    await assert.rejects(queryMissing([app], { isValidPath: async () => false, find }), /as asked/);
  });
});
