import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { EXPORT_NEXT } from '../../../src/formats/export-stream.ts';
import type { StorePath } from '../../../src/formats/store-path.ts';
import { importPaths } from '../../../src/stores/export/import-paths.ts';
import type { LocalStore } from '../../../src/stores/local-store.ts';
import { exportStream, inChunks } from '../../support/export-streams.ts';
import { full, makeDerivation, makeNode, pathOf } from '../../support/gc-store.ts';
import { openTestStore, temporaryDirectory } from '../../support/local-store.ts';
import { add, readNar, type StoreObject } from '../../support/store-objects.ts';
import { directory, file } from '../../support/trees.ts';

const base = makeNode('base', { deriver: pathOf('base.drv') }, directory({ d: directory({ f: file('hi\n') }) }));
const lib = makeNode('lib', { references: [base.info.path, pathOf('lib')] });
const top = makeNode('top', { references: [lib.info.path, base.info.path] });
const other = makeNode('other');

async function emptyStore(resources: AsyncDisposableStack): Promise<LocalStore> {
  return await openTestStore(await temporaryDirectory(resources), resources);
}

/** What lies in the store directory, apart from what is for links. */
function left(store: LocalStore): string[] {
  return readdirSync(store.realStoreDir).filter((name) => name !== '.links');
}

async function validPaths(store: LocalStore): Promise<string[]> {
  return await store.queryAllValidPaths();
}

function pathsOf(...objects: readonly StoreObject[]): string[] {
  return objects.map(({ info }) => info.path);
}

describe('importing', () => {
  test('makes valid what the stream holds, whatever require-sigs says', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    const imported: unknown[] = [];
    await importPaths(store, inChunks(exportStream(base, lib, top)), { onImported: (each) => imported.push(each) });
    assert.deepEqual(
      imported,
      pathsOf(base, lib, top).map((path) => ({ path, wasValid: false })),
    );
    for (const { info, nar } of [base, lib, top]) {
      const { narHash, narSize, references, deriver, signatures, ultimate } = (await store.queryPathInfo(info.path))!;
      assert.deepEqual(
        { narHash: Buffer.from(narHash.digest), narSize },
        { narHash: Buffer.from(info.narHash.digest), narSize: nar.length },
      );
      assert.deepEqual({ references, deriver }, { references: info.references, deriver: info.deriver });
      assert.deepEqual({ signatures, ultimate }, { signatures: [], ultimate: false });
      assert.deepEqual(await readNar(store, info.path), nar);
    }
    assert.deepEqual(left(store).sort(), pathsOf(base, lib, top).sort());
  });

  test('registers the outputs of derivations', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    const derivation = makeDerivation('made', ['out']);
    const out = makeNode('out', { path: derivation.outputs[0]! });
    await importPaths(store, inChunks(exportStream(derivation, out)));
    const outputs = await store.queryStep([derivation.info.path], 'outputs');
    assert.deepEqual([...outputs.keys()], pathsOf(out));
  });

  test('leaves what is valid as it is, and nothing else behind', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    await importPaths(store, inChunks(exportStream(base)));
    const forged = { ...base, nar: makeNode('x', {}, file('forged')).nar };
    const imported: boolean[] = [];
    await importPaths(store, inChunks(exportStream(forged, other, other)), {
      onImported: ({ wasValid }) => imported.push(wasValid),
    });
    assert.deepEqual(imported, [true, false]);
    assert.deepEqual(await readNar(store, base.info.path), base.nar);
    assert.deepEqual(left(store).sort(), pathsOf(base, other).sort());
  });

  test('takes the first of two that have one name', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    await importPaths(store, inChunks(exportStream(base, { ...base, nar: other.nar })));
    assert.deepEqual(await readNar(store, base.info.path), base.nar);
  });

  test('replaces what lies at a path without being valid', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    await store.open();
    mkdirSync(store.realPath(base.info.path));
    writeFileSync(`${store.realPath(base.info.path)}/leftover`, '');
    await importPaths(store, inChunks(exportStream(base)));
    assert.deepEqual(await readNar(store, base.info.path), base.nar);
  });

  test('takes more than one batch, in order', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    const objects: StoreObject[] = [];
    for (let index = 0; index < 1300; index++) {
      objects.push(makeNode(`n${index}`, { references: objects.slice(-20).map(({ info }) => info.path) }));
    }
    const imported: string[] = [];
    await importPaths(store, inChunks(exportStream(...objects), 2 ** 20), {
      onImported: ({ path }) => imported.push(path),
    });
    assert.deepEqual(imported, pathsOf(...objects));
    assert.deepEqual(await validPaths(store), imported);

    let unpacked = 0;
    async function* again(): AsyncGenerator<Uint8Array> {
      const stream = exportStream(...objects);
      yield stream.subarray(0, -8);
      const [staging] = left(store).filter((name) => name.includes('-tmp-sluice-'));
      unpacked = readdirSync(store.realPath(staging as StorePath)).length;
      yield stream.subarray(-8);
    }
    await importPaths(store, again());
    assert.ok(unpacked < objects.length, 'what is not needed is removed on the way');
  });

  test('refuses a path whose references are not there, and keeps what came before', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    await assert.rejects(importPaths(store, inChunks(exportStream(base, top, lib))), {
      code: 'ERR_INCOMPLETE_CLOSURE',
      message: `cannot register '${full(top.info.path)}': '${full(lib.info.path)}', which it refers to, is not valid`,
    });
    assert.ok(await store.isValidPath(base.info.path));
    assert.ok(!(await store.isValidPath(top.info.path)));
  });

  test('is content with references that are valid already', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    await importPaths(store, inChunks(exportStream(base)));
    await importPaths(store, inChunks(exportStream(lib)));
    assert.deepEqual(await validPaths(store), pathsOf(base, lib));
  });

  test('keeps what was complete where the stream is cut off or broken, and nothing of the rest', async () => {
    const stream = exportStream(base, lib);
    for (const [bytes, message] of [
      [stream.subarray(0, -8), /the stream ends early/],
      [stream.subarray(0, -9), /the stream ends early/],
      [Buffer.concat([stream.subarray(0, -8), EXPORT_NEXT, Buffer.alloc(100)]), /invalid nar/],
    ] as const) {
      await using resources = new AsyncDisposableStack();
      const store = await emptyStore(resources);
      await assert.rejects(importPaths(store, inChunks(bytes)), { code: 'ERR_FORMAT', message });
      const valid = bytes.length === stream.length - 9 ? [base] : [base, lib];
      assert.deepEqual(await validPaths(store), pathsOf(...valid));
      assert.deepEqual(left(store).sort(), pathsOf(...valid).sort());
    }
  });

  test('reads no further than the end of the stream', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    async function* source(): AsyncGenerator<Uint8Array> {
      yield exportStream(base);
      assert.fail('read on');
    }
    await importPaths(store, source());
    assert.deepEqual(await validPaths(store), pathsOf(base));
  });

  test('stops at once when it is aborted, although the source is silent, and leaves nothing', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    const controller = new AbortController();
    async function* source(): AsyncGenerator<Uint8Array> {
      yield exportStream(base).subarray(0, -100);
      controller.abort();
      await new Promise(() => {});
    }
    await assert.rejects(importPaths(store, source(), { signal: controller.signal }), { name: 'AbortError' });
    assert.deepEqual([left(store), await validPaths(store)], [[], []]);
  });

  test('lets the event loop go on while it unpacks', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await emptyStore(resources);
    const large = makeNode('large', {}, file('x'.repeat(16 * 2 ** 20)));
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    resources.defer(() => clearInterval(timer));
    await importPaths(store, inChunks(exportStream(large), 2 ** 30));
    assert.ok(turns >= 5, `${turns} turns`);
  });

  test('is refused by a read-only store', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    const store = await openTestStore(root, resources);
    await add(store);
    await store.open();
    const readOnly = await openTestStore(`local?root=${root}&read-only=true`, resources);
    await assert.rejects(importPaths(readOnly, inChunks(exportStream(base))), { code: 'ERR_STORE' });
  });
});
