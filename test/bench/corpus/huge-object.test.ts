import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeHugeObject } from '../../../bench/corpus/huge-object.ts';
import { makeScratch } from '../../support/scratch.ts';

const MEBIBYTE = 2 ** 20;

test('a huge object', async (t) => {
  await using scratch = await makeScratch(160);
  const source = join(scratch.path, 'source');
  await mkdir(join(source, 'b'), { recursive: true });
  await writeFile(join(source, 'a'), 'first ');
  await writeFile(join(source, 'b/file'), 'second ');
  await symlink('/etc/passwd', join(source, 'c'));

  await t.test('has files of this machine in order, again and again, to the byte', async () => {
    const [object] = await makeHugeObject(join(scratch.path, 'small'), 20, [source]);
    assert.deepEqual(object!.references, []);
    assert.equal(await readFile(join(object!.location, 'part-000'), 'utf8'), 'first second first s');
  });

  await t.test('is cut into parts', async () => {
    await writeFile(join(source, 'd'), Buffer.alloc(50 * MEBIBYTE, 'd'));
    const [object] = await makeHugeObject(join(scratch.path, 'large'), 70 * MEBIBYTE, [source]);
    const sizes = [];
    for (const name of (await readdir(object!.location)).sort()) {
      sizes.push([name, (await readFile(join(object!.location, name))).length / MEBIBYTE]);
    }
    assert.deepEqual(sizes, [
      ['part-000', 64],
      ['part-001', 6],
    ]);
  });

  await t.test('is not made of nothing', async () => {
    const empty = join(scratch.path, 'empty');
    await mkdir(empty);
    await assert.rejects(makeHugeObject(join(scratch.path, 'x'), 20, [empty]), /there is nothing to read in/);
  });
});
