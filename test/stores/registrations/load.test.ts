import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { hashBytes } from '../../../src/formats/hash.ts';
import type { Registration } from '../../../src/formats/validity-registration.ts';
import type { LocalStore } from '../../../src/stores/local-store.ts';
import { emptyStore, openTestStore } from '../../support/local-store.ts';
import { pathNamed, registered, textOf } from '../../support/registrations.ts';
import { add, makeBuiltObject, makeObject, narSource } from '../../support/store-objects.ts';
import { file } from '../../support/trees.ts';

const QUICK = { fsyncMetadata: false, fsyncStorePaths: false } as const;

async function read(store: LocalStore): Promise<Registration[]> {
  const pages: Registration[] = [];
  for await (const page of store.readRegistrations()) pages.push(...page);
  return pages;
}

/** Without what a text does not hold. */
const inText = ({ path, narHash, narSize, deriver, references }: Registration): Registration => ({
  path,
  narHash,
  narSize,
  deriver,
  references,
});
const byPath = (a: Registration, b: Registration): number => (a.path < b.path ? -1 : 1);

describe('loading registrations', () => {
  test('makes valid what the text says, whatever its order, and reading gives it back sorted', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources, QUICK);
    const many = Array.from({ length: 4_500 }, (_, i) =>
      registered(
        `path-${i}`,
        [i, i + 1, i + 2, i + 700].filter((to) => to < 4_500).map((to) => `path-${to}`),
      ),
    );
    assert.deepEqual(await store.loadRegistrations(textOf(many)), { added: 4_500, changed: 0, absent: 4_500 });
    assert.deepEqual((await read(store)).map(inText), many.toSorted(byPath));
    assert.deepEqual(await store.loadRegistrations(textOf(many)), { added: 0, changed: 0, absent: 4_500 });
  });

  /** A text with something wrong in it, why, and with what error. */
  const REFUSED = [
    [[registered('user', ['missing'])], 'a reference is not valid', 'ERR_INVALID_PATH'],
    [[registered('one', ['two']), registered('two', ['one'])], 'paths refer to each other', 'ERR_STORE'],
    [[registered('absent.drv')], 'a derivation is not there', 'ERR_STORE'],
  ] as const;
  for (const [wrong, why, code] of REFUSED) {
    test(`takes nothing of a text in which ${why}`, async () => {
      await using resources = new AsyncDisposableStack();
      const { store } = await emptyStore(resources, QUICK);
      const good = Array.from({ length: 2_500 }, (_, i) => registered(`good-${i}`));
      await assert.rejects(store.loadRegistrations(textOf([...good, ...wrong])), { code });
      assert.deepEqual(await read(store), []);
      await store.loadRegistrations(textOf(good)); // and is none the worse for it
      assert.equal((await store.queryTotals()).paths, 2_500);
    });
  }

  test('takes nothing of a text that ends early', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources, QUICK);
    async function* cut(): AsyncGenerator<Uint8Array> {
      for await (const piece of textOf([registered('a'), registered('b')])) yield piece.subarray(0, -3);
    }
    await assert.rejects(store.loadRegistrations(cut()), { code: 'ERR_FORMAT' });
    assert.deepEqual(await read(store), []);
  });

  test('takes nothing of a derivation that is none', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources, QUICK);
    await writeFile(store.realPath(pathNamed('x.drv')), 'Hello');
    await assert.rejects(store.loadRegistrations(textOf([registered('x.drv')])), { code: 'ERR_STORE' });
    assert.deepEqual(await read(store), []);
  });

  test('believes the last of what is said twice of a path', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources, QUICK);
    const first = registered('twice', ['one']);
    const last = { ...registered('twice', ['two']), narSize: 77 };
    const text = textOf([registered('one'), registered('two'), first, last]);
    assert.equal((await store.loadRegistrations(text)).added, 3);
    assert.deepEqual(inText((await store.queryPathInfo(last.path))!), last);
  });

  test('keeps signatures of a path that is as before, and drops them where the hash is another one', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources, QUICK);
    const { info, nar } = await makeBuiltObject('built', file('x'));
    await store.addToStore(info, narSource(nar));
    assert.deepEqual(await store.loadRegistrations(textOf([info])), { added: 0, changed: 0, absent: 0 });
    assert.deepEqual((await store.queryPathInfo(info.path))?.signatures, info.signatures);
    const other = { ...info, narHash: hashBytes('sha256', 'other') };
    assert.deepEqual(await store.loadRegistrations(textOf([other])), { added: 0, changed: 1, absent: 0 });
    const now = await store.queryPathInfo(info.path);
    assert.deepEqual([now?.narHash, now?.signatures], [other.narHash, []]);
  });

  test('lets others write while the text is coming', async () => {
    await using resources = new AsyncDisposableStack();
    const { root, store } = await emptyStore(resources, QUICK);
    const other = await openTestStore(root, resources, QUICK);
    const object = makeObject('other', file('other'));
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield* textOf([registered('first')]);
      await add(other, object);
      yield* textOf([{ ...registered('second'), references: [object.info.path] }]);
    }
    assert.equal((await store.loadRegistrations(slow())).added, 2);
  });

  test('reading shows one state of the database, whatever is registered meanwhile', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources, QUICK);
    const before = Array.from({ length: 1_500 }, (_, i) => registered(`before-${i}`));
    await store.loadRegistrations(textOf(before));
    const pages = store.readRegistrations();
    const seen = [...(await pages.next()).value!];
    await store.loadRegistrations(textOf(Array.from({ length: 500 }, (_, i) => registered(`later-${i}`))));
    for await (const page of pages) seen.push(...page);
    assert.deepEqual(seen.map(inText), before.toSorted(byPath));
  });

  test('a store that is read-only is read and not loaded into', async () => {
    await using resources = new AsyncDisposableStack();
    const { root, store } = await emptyStore(resources, QUICK);
    await store.loadRegistrations(textOf([registered('a')]));
    const reader = await openTestStore(`local?root=${root}&read-only=true`, resources);
    assert.equal((await read(reader)).length, 1);
    await assert.rejects(reader.loadRegistrations(textOf([])), { code: 'ERR_STORE' });
  });
});
