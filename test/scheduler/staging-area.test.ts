import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { StagingArea } from '../../src/scheduler/staging-area.ts';
import { emptyStore } from '../support/local-store.ts';

test('a staging area makes its directory when the first needs it, and removes it with all that is in it', async () => {
  await using resources = new AsyncDisposableStack();
  const { store } = await emptyStore(resources);
  const before = readdirSync(store.realStoreDir).length;
  let dir: string;
  {
    await using area = new StagingArea(store);
    assert.equal(readdirSync(store.realStoreDir).length, before);
    const [one, two] = [await area.location('a'), await area.location('a')];
    assert.notEqual(one, two);
    dir = dirname(one);
    mkdirSync(one);
    area.removeLater(one);
    assert.equal(existsSync(one), false, 'an empty directory goes at once');
    mkdirSync(two);
    writeFileSync(`${two}/file`, '');
    area.removeLater(two);
    mkdirSync(`${dir}/left`);
  }
  assert.equal(existsSync(dir), false);
});
