import assert from 'node:assert/strict';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import { exportPaths } from '../../../src/stores/export/export-paths.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { exportStream } from '../../support/export-streams.ts';
import { makeNode } from '../../support/gc-store.ts';
import { emptyStore } from '../../support/local-store.ts';
import { add, collect } from '../../support/store-objects.ts';
import { directory, file } from '../../support/trees.ts';

const base = makeNode('base', {}, directory({ f: file('hi\n') }));
const top = makeNode('top', { references: [base.info.path] });

describe('exporting', () => {
  test('writes objects in the order that it is given, from any store', async () => {
    await using resources = new AsyncDisposableStack();
    const { store: local } = await emptyStore(resources);
    const memory = new MemoryStore(local.storeDir);
    for (const store of [local, memory]) {
      await add(store, base, top);
      const paths: string[] = [];
      const infos = [base.info, top.info];
      const stream = await collect((sink) =>
        exportPaths(store, infos, sink, { onPath: ({ path }) => paths.push(path) }),
      );
      assert.deepEqual(stream, exportStream(base, top));
      assert.deepEqual(paths, [base.info.path, top.info.path]);
    }
  });

  test('writes the end of the stream where there is nothing else', async () => {
    assert.deepEqual(
      await collect((sink) => exportPaths(new MemoryStore(DEFAULT_STORE_DIR), [], sink)),
      Buffer.alloc(8),
    );
  });

  test('fails where contents are not what was registered, before it names the path', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    await add(store, base);
    const changed = `${store.realPath(base.info.path)}/f`;
    chmodSync(changed, 0o644);
    writeFileSync(changed, 'ho\n');
    let written = '';
    const writing = exportPaths(store, [base.info], (chunk) => {
      written += Buffer.from(chunk).toString('latin1');
    });
    await assert.rejects(writing, {
      code: 'ERR_HASH_MISMATCH',
      message: /contents of '\/nix\/store\/.*-base': wanted/,
    });
    assert.ok(!written.includes(base.info.path));
  });

  test('does not mind a hash that nobody has computed', async () => {
    const store = new MemoryStore(DEFAULT_STORE_DIR);
    await add(store, base);
    const unknown = { ...base.info, narHash: { algorithm: 'sha256', digest: new Uint8Array(32) } } as const;
    assert.deepEqual(await collect((sink) => exportPaths(store, [unknown], sink)), exportStream(base));
  });

  test('fails where a path is gone', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    await add(store, base);
    rmSync(store.realPath(base.info.path), { recursive: true });
    await assert.rejects(
      collect((sink) => exportPaths(store, [base.info], sink)),
      { code: 'ERR_INVALID_PATH' },
    );
  });

  test('lets the event loop go on, and stops in the midst of a path when it is aborted', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    const large = makeNode('large', {}, file('x'.repeat(16 * 2 ** 20)));
    await add(store, large);
    const controller = new AbortController();
    let size = 0;
    const timer = setInterval(() => size > 4 * 2 ** 20 && controller.abort(), 0);
    resources.defer(() => clearInterval(timer));
    const exporting = exportPaths(
      store,
      [large.info],
      (chunk) => {
        size += chunk.length;
      },
      { signal: controller.signal },
    );
    await assert.rejects(exporting, { name: 'AbortError' });
    assert.ok(size < 16 * 2 ** 20, `${size} bytes`);
  });
});
