import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readMachines } from '../../src/scheduler/read-machines.ts';
import { makeSettings } from '../../src/settings.ts';
import { makeScratch } from '../support/scratch.ts';

const read = async (builders: string, more = {}): Promise<string[]> =>
  (await readMachines(makeSettings({ builders, system: 'x86_64-linux', ...more }))).map(({ store }) => store);

describe('the machines of setting builders', () => {
  test('are those that it names, and those of its files', async () => {
    await using scratch = await makeScratch();
    const [outer, inner] = ['outer', 'inner'].map((name) => join(scratch.path, name)) as [string, string];
    await writeFile(outer, `ssh://b\n@${inner}\n`);
    await writeFile(inner, '# nothing\nssh://c - - 4\n');
    assert.deepEqual(await read(`ssh://a ; @${outer}`), ['ssh://a', 'ssh://b', 'ssh://c']);
  });

  test('are none where the file is not there, or a hook is asked', async () => {
    assert.deepEqual(await read('@/nonexistent/machines'), []);
    assert.deepEqual(await read('ssh://a', { buildHook: '/hook' }), []);
  });

  test('cannot be read from files that name each other', async () => {
    await using scratch = await makeScratch();
    const file = join(scratch.path, 'machines');
    await writeFile(file, `@${file}`);
    await assert.rejects(read(`@${file}`), /more than 16 deep/);
  });
});
