import assert from 'node:assert/strict';
import { readdirSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { hashBytes } from '../../src/formats/hash.ts';
import type { NarInfo } from '../../src/formats/narinfo.ts';
import { openPartialFile } from '../../src/stores/partial-file.ts';
import { MIN_PARTIAL_SIZE } from '../../src/stores/partial-location.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { numberedObject } from '../support/numbered-objects.ts';

const DAY = 24 * 60 * 60;
const GIBIBYTE = 2 ** 30;

function large(contents: string, changes: Partial<NarInfo> = {}): NarInfo {
  const fileHash = hashBytes('sha256', contents);
  const file = { url: 'nar/x', compression: 'zstd', fileHash, fileSize: MIN_PARTIAL_SIZE + 1 };
  return { ...numberedObject(0).info, ...file, ...changes };
}

/** Makes a file without contents that was changed some days ago. */
function leave(dir: string, name: string, { days, size = 0 }: { days: number; size?: number }): void {
  const path = join(dir, name);
  writeFileSync(path, '');
  truncateSync(path, size);
  const changed = Date.now() / 1000 - days * DAY;
  utimesSync(path, changed, changed);
}

describe('the place for a part of a download', () => {
  test('is beside the state of the store, by the hash of the file, for its owner alone', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    const location = (await store.partialLocation(large('')))!;
    const digest = '0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73'; // of nothing, as Nix spells it
    assert.equal(location, join(store.stateDir, 'sluice/partial', `sha256-${digest}`));
    assert.equal(statSync(dirname(location)).mode & 0o777, 0o700);
    assert.equal(await store.partialLocation(large('', { url: 'elsewhere' })), location);
    assert.notEqual(await store.partialLocation(large('other')), location);
  });

  for (const [what, changes] of [
    ['that is small', { fileSize: MIN_PARTIAL_SIZE }],
    ['of unknown size', { fileSize: undefined }],
    ['of unknown hash', { fileHash: undefined }],
  ] as const) {
    test(`is not given to a file ${what}`, async () => {
      await using resources = new AsyncDisposableStack();
      const store = await openTestStore(await temporaryDirectory(resources), resources);
      assert.equal(await store.partialLocation(large('', changes)), undefined);
    });
  }

  test('is not given to a file for which there is no room beside what others unpack', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    assert.equal(await store.partialLocation(large('', { fileSize: 2 ** 60 })), undefined);
  });

  test('is not given to a path that is in no binary cache', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    assert.equal(await store.partialLocation({ ...numberedObject(0).info, narSize: GIBIBYTE }), undefined);
  });

  test('is not given where no directory can be made, which is no failure', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    await store.queryAllValidPaths();
    await writeFile(join(store.stateDir, 'sluice'), 'in the way');
    assert.equal(await store.partialLocation(large('')), undefined);
  });

  test('is cleared of parts that are older than a week, but for those in use and the one that is wanted', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    const wanted = (await store.partialLocation(large('wanted')))!;
    const dir = dirname(wanted);
    leave(dir, 'old', { days: 7.1 });
    leave(dir, 'young', { days: 6.9 });
    leave(dir, 'used', { days: 8 });
    leave(dir, wanted.slice(dir.length + 1), { days: 8 });
    using used = openPartialFile(join(dir, 'used'));
    assert.ok(used);
    await store.partialLocation(large('wanted'));
    assert.deepEqual(readdirSync(dir).sort(), [wanted.slice(dir.length + 1), 'used', 'young'].sort());
  });

  test('is cleared of the oldest parts where all take more than 8 GiB', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    const wanted = (await store.partialLocation(large('wanted')))!;
    const dir = dirname(wanted);
    leave(dir, 'yesterday', { days: 1, size: 5 * GIBIBYTE });
    leave(dir, 'before', { days: 2, size: 3 * GIBIBYTE });
    leave(dir, 'long-ago', { days: 3, size: 1 });
    leave(dir, wanted.slice(dir.length + 1), { days: 4, size: 9 * GIBIBYTE });
    await store.partialLocation(large('wanted'));
    assert.deepEqual(readdirSync(dir).sort(), [wanted.slice(dir.length + 1), 'before', 'yesterday'].sort());
  });

  test('is not hindered by what cannot be removed', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    const dir = dirname((await store.partialLocation(large('')))!);
    await mkdir(join(dir, 'directory'));
    utimesSync(join(dir, 'directory'), 1, 1);
    leave(dir, 'old', { days: 30 });
    assert.ok(await store.partialLocation(large('')));
    assert.deepEqual(readdirSync(dir), ['directory']);
  });
});
