/**
 * What every store does in the same way, as tests to run on each of them. Expected values are those that went in:
 * whether they are right is for the tests of the formats.
 */
import assert from 'node:assert/strict';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { HashMismatchError, InvalidPathError, SluiceError } from '../../src/errors.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import type { NarSource, Store } from '../../src/stores/store.ts';
import { bytes } from '../support/seeded.ts';
import { add, collect, comparable, makeBuiltObject, makeObject, narSource, readNar } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

/** Stores under test; the same one twice unless it cannot be written. */
export interface Opened {
  readonly store: Store;
  /** Makes paths valid in `store`. */
  readonly writer: Store;
}

export interface ConformanceOptions {
  /** Tests that cannot hold, by their names. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[];
}

/** Longer than the buffers on its way, and nothing that compresses to nothing. */
const LARGE = makeObject('large', file(Buffer.from(bytes(700_000, { seed: 3 })).toString('latin1')));
const TREE = directory({
  bin: directory({ tool: file('#!/bin/sh\n', true) }),
  empty: file(''),
  link: { type: 'symlink', target: 'bin/tool' },
  none: directory({}),
});
const LEAF = makeObject('leaf', TREE);
const USER = makeObject('user', file('uses leaf'), { references: [LEAF.info.path] });
const BUILT = await makeBuiltObject('built', file('x'), { references: [LEAF.info.path], self: true });

/**
 * @param open - opens an empty store of the default store directory. `dir` is its own and empty; what has to be
 *   released goes to `resources`.
 */
export function conforms(
  name: string,
  open: (dir: string, resources: AsyncDisposableStack) => Promise<Store | Opened>,
  { skip = [] }: ConformanceOptions = {},
): void {
  const it = (title: string, run: (opened: Opened) => Promise<void>): void => {
    const reason = skip.find(({ tests }) => tests.includes(title))?.reason;
    test(title, { skip: reason ?? false }, async () => {
      await using resources = new AsyncDisposableStack();
      const { path } = resources.use(await mkdtempDisposable(join(tmpdir(), 'sluice-test-')));
      const opened = await open(path, resources);
      await run('store' in opened ? opened : { store: opened, writer: opened });
    });
  };

  describe(`${name} is a store`, () => {
    it('that does not know a path that was never added', async ({ store }) => {
      assert.equal(await store.queryPathInfo(LEAF.info.path), undefined);
      assert.equal(await store.isValidPath(LEAF.info.path), false);
      await assert.rejects(
        collect((sink) => store.narFromPath(LEAF.info, sink)),
        InvalidPathError,
      );
    });

    it('that gives back what was added', async ({ store, writer }) => {
      await add(writer, LEAF, USER, BUILT, LARGE);
      for (const { info, nar } of [LEAF, USER, BUILT, LARGE]) {
        assert.equal(await store.isValidPath(info.path), true);
        assert.deepEqual(comparable(await store.queryPathInfo(info.path)), comparable(info));
        assert.ok((await readNar(store, info.path)).equals(nar));
      }
    });

    it('that waits for the sink before it hands over more', async ({ store, writer }) => {
      await add(writer, LARGE);
      const info = await store.queryPathInfo(LARGE.info.path);
      const chunks: Buffer[] = [];
      let busy = false;
      await store.narFromPath(info!, async (chunk) => {
        assert.ok(!busy);
        busy = true;
        await new Promise(setImmediate);
        chunks.push(Buffer.from(chunk)); // has not changed meanwhile
        busy = false;
      });
      assert.ok(Buffer.concat(chunks).equals(LARGE.nar));
    });

    it('that passes on the errors of a sink', async ({ store, writer }) => {
      await add(writer, LARGE);
      const info = await store.queryPathInfo(LARGE.info.path);
      const failure = new Error('disk full');
      await assert.rejects(
        store.narFromPath(info!, () => Promise.reject(failure)),
        failure,
      );
      const throwing = (): void => {
        throw failure;
      };
      await assert.rejects(store.narFromPath(info!, throwing), failure);
      assert.ok((await readNar(store, LARGE.info.path)).equals(LARGE.nar));
    });

    it('that leaves a valid path alone', async ({ writer }) => {
      await add(writer, LEAF);
      await writer.addToStore(LEAF.info, () => assert.fail('the NAR was asked for'));
    });

    it('that takes the same path from two sides at once', async ({ store, writer }) => {
      await Promise.all([add(writer, LEAF), add(writer, LEAF)]);
      assert.ok((await readNar(store, LEAF.info.path)).equals(LEAF.nar));
    });

    it('that wants references first', async ({ store, writer }) => {
      const reference = printStorePath(DEFAULT_STORE_DIR, LEAF.info.path);
      await assert.rejects(add(writer, USER), (error) => {
        return error instanceof SluiceError && `${error.message} ${error.hint}`.includes(reference);
      });
      assert.equal(await store.isValidPath(USER.info.path), false);
    });

    for (const [what, nar] of [
      ['with a wrong byte', Buffer.from(LARGE.nar).fill('?', 100_000, 100_001)],
      ['that is too short', LARGE.nar.subarray(0, -1)],
      ['that is too long', Buffer.concat([LARGE.nar, Buffer.alloc(8)])],
    ] as const) {
      it(`that rejects a NAR ${what}, and keeps nothing of it`, async ({ store, writer }) => {
        await assert.rejects(writer.addToStore(LARGE.info, narSource(nar)), HashMismatchError);
        assert.equal(await store.isValidPath(LARGE.info.path), false);
        await add(writer, LARGE);
        assert.ok((await readNar(store, LARGE.info.path)).equals(LARGE.nar));
      });
    }

    it('that passes on the error of a source, and keeps nothing', async ({ store, writer }) => {
      const failure = new Error('connection lost');
      const source: NarSource = async (sink) => {
        await sink(LEAF.nar.subarray(0, 50));
        throw failure;
      };
      await assert.rejects(writer.addToStore(LEAF.info, source), failure);
      assert.equal(await store.isValidPath(LEAF.info.path), false);
    });

    it('that stops when it is told to', async ({ store, writer }) => {
      await add(writer, LEAF, LARGE);
      const reason = new Error('not needed any more');
      const signal = AbortSignal.abort(reason);
      const info = (await store.queryPathInfo(LARGE.info.path))!;
      await assert.rejects(
        store.narFromPath(info, () => {}, { signal }),
        reason,
      );
      await assert.rejects(writer.addToStore(USER.info, narSource(USER.nar), { signal }), reason);
      const later = new AbortController();
      const slow = async (): Promise<void> => {
        later.abort(reason);
        await new Promise(setImmediate);
      };
      await assert.rejects(store.narFromPath(info, slow, { signal: later.signal }), reason);
      assert.equal(await store.isValidPath(USER.info.path), false);
    });

    it('that names itself', async ({ store }) => {
      assert.match(store.uri, /^[a-z]+/);
      assert.equal(store.storeDir, DEFAULT_STORE_DIR);
    });
  });
}
