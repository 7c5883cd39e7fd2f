import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { countRoundTrips, timeDecoding, timeHashing, timeWriting } from '../../../bench/peers/floor.ts';
import { hashBytes } from '../../../src/formats/hash.ts';
import type { NarInfo } from '../../../src/formats/narinfo.ts';
import { needs } from '../../support/run.ts';
import { makeScratch } from '../../support/scratch.ts';
import { pathNamed } from '../../support/transfers.ts';

const { signal } = new AbortController();

function info(name: string, ...references: string[]): NarInfo {
  const narHash = hashBytes('sha256', name);
  const base = { narHash, narSize: 1, signatures: [], url: 'x', compression: 'none' };
  return { ...base, path: pathNamed(name), references: references.map(pathNamed) };
}

test('round trips are the description of the cache, the levels of the graph, and a NAR', () => {
  assert.equal(countRoundTrips([info('top')], pathNamed('top')), 3);
  const graph = [info('top', 'a', 'b'), info('a', 'b', 'c'), info('b', 'b'), info('c', 'a')];
  assert.equal(countRoundTrips(graph, pathNamed('top')), 5); // top; a and b; c, which nobody nearer refers to
});

test('files that are not there fail hashing, rather than make it fast', async () => {
  await assert.rejects(timeHashing([{ file: '/no/such/file', size: 1 }]), /ENOENT/);
});

test('the floor of files', needs('zstd'), async (t) => {
  await using scratch = await makeScratch();
  const file = join(scratch.path, 'file');
  await writeFile(file, Buffer.alloc(4 * 2 ** 20));

  await t.test('takes time to hash', async () => {
    assert.ok((await timeHashing([{ file, size: 4 * 2 ** 20 }])) > 0.001);
  });

  await t.test('takes time to copy, and leaves nothing', async () => {
    const tree = join(scratch.path, 'tree');
    await mkdir(tree);
    await writeFile(join(tree, 'file'), 'x');
    const copies = join(scratch.path, 'copies');
    assert.ok((await timeWriting([{ location: tree, size: 1 }], copies, signal)) > 0);
    assert.equal(existsSync(copies), false);
    await assert.rejects(timeWriting([{ location: `${tree}-not`, size: 1 }], copies, signal), /cp ended with 1/);
  });

  await t.test('cannot be decoded where it is not compressed', async () => {
    await assert.rejects(timeDecoding([{ file, size: 1 }], 'zstd', signal), /zstd ended with 1/);
  });
});
