/** Questions about many paths at once, as a local store answers them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { printDerivation } from '../../src/formats/derivation.ts';
import { fillOutputs } from '../../src/formats/derivation-hash.ts';
import { hashBytes } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, makeStorePath, type StorePath } from '../../src/formats/store-path.ts';
import type { Registration } from '../../src/formats/validity-registration.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { emptyStore } from '../support/local-store.ts';
import { pathNamed, registered, textOf } from '../support/registrations.ts';

async function storeOf(resources: AsyncDisposableStack, registrations: Iterable<Registration>): Promise<LocalStore> {
  const { store } = await emptyStore(resources, { fsyncMetadata: false, fsyncStorePaths: false });
  await store.loadRegistrations(textOf(registrations));
  return store;
}

const named = (...names: readonly string[]): StorePath[] => names.map(pathNamed).sort();
const sorted = (infos: ReadonlyMap<StorePath, unknown>): StorePath[] => [...infos.keys()].sort();

/** `top` has two ways to `base`; `alone` has nothing to do with them. */
const DIAMOND = [
  registered('base', ['base']),
  registered('left', ['base']),
  registered('right', ['base']),
  registered('top', ['left', 'right']),
  registered('alone'),
];

describe('a local store, asked about many paths at once,', () => {
  test('follows references and referrers to their end', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await storeOf(resources, DIAMOND);
    const closure = await store.queryClosure(named('top'));
    assert.deepEqual(sorted(closure), named('base', 'left', 'right', 'top'));
    assert.deepEqual(sorted(await store.queryClosure(named('left'), ['referrers'])), named('left', 'top'));
    assert.deepEqual(sorted(await store.queryStep(named('left', 'right'), 'references')), named('base'));
    assert.deepEqual(sorted(await store.queryStep(named('base'), 'referrers')), named('base', 'left', 'right'));
    for (const [path, info] of closure) assert.deepEqual(info, await store.queryPathInfo(path));
  });

  test('leaves out what is not valid', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await storeOf(resources, DIAMOND);
    assert.deepEqual(sorted(await store.queryPathInfos(named('alone', 'missing'))), named('alone'));
    assert.deepEqual(sorted(await store.queryClosure(named('alone', 'missing'))), named('alone'));
    assert.equal((await store.queryClosure(named('missing'))).size, 0);
    assert.equal((await store.queryPathInfos([])).size, 0);
  });

  test('answers about graphs that are wide and deep', async () => {
    await using resources = new AsyncDisposableStack();
    const chain = Array.from({ length: 700 }, (_, i) => registered(`chain-${i}`, i === 0 ? [] : [`chain-${i - 1}`]));
    const wide = Array.from({ length: 1_300 }, (_, i) => registered(`wide-${i}`, ['chain-699']));
    const names = wide.map((_, i) => `wide-${i}`);
    const store = await storeOf(resources, [registered('top', names), ...wide, ...chain]);
    assert.equal((await store.queryClosure(named('top'))).size, 2_001);
    assert.equal((await store.queryClosure(named('chain-0'), ['referrers'])).size, 2_001);
    assert.deepEqual(await store.queryTotals(), {
      paths: 2_001,
      narSize: [...chain, ...wide, registered('top')].reduce((sum, { narSize }) => sum + narSize, 0),
    });
  });

  test('knows the outputs of derivations, and the derivations of outputs', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources, { fsyncMetadata: false, fsyncStorePaths: false });
    const again = makeStorePath(DEFAULT_STORE_DIR, 'text', hashBytes('sha256', 'again'), 'made.drv');
    const derivers = [pathNamed('made.drv'), again].sort();
    const made = await writeFixed(store, derivers, 'made');
    const missing = await writeFixed(store, named('lost.drv'), 'lost');
    const registrations = [...derivers, pathNamed('lost.drv'), made].map((path) => ({ ...registered('any'), path }));
    await store.loadRegistrations(textOf(registrations));
    assert.deepEqual(await store.queryValidDerivers([made]), derivers);
    assert.deepEqual(await store.queryValidDerivers([missing]), named('lost.drv'));
    assert.deepEqual(await store.queryValidDerivers(derivers), []);
    assert.deepEqual(sorted(await store.queryStep(derivers, 'outputs')), [made]);
    assert.deepEqual(sorted(await store.queryStep([made], 'derivers')), derivers);
    const both = await store.queryClosure([derivers[0]!], ['outputs', 'derivers']);
    assert.deepEqual(sorted(both), [...derivers, made].sort());
  });

  test('stops when it is told to', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await storeOf(resources, DIAMOND);
    const signal = AbortSignal.abort();
    await assert.rejects(store.queryClosure(named('top'), ['references'], { signal }), { name: 'AbortError' });
  });
});

/** Writes derivations of one fixed output, which differ in how they make it; they are not valid yet. */
async function writeFixed(store: LocalStore, paths: readonly StorePath[], name: string): Promise<StorePath> {
  const contentAddress = { method: 'flat', hash: hashBytes('sha256', name) } as const;
  const outputs = new Map([['out', { contentAddress }]]);
  const unknown = { name, outputs, inputDrvs: new Map(), inputSrcs: [], system: 's', args: [], env: new Map() };
  const derivations = paths.map((path) =>
    fillOutputs(DEFAULT_STORE_DIR, { ...unknown, builder: path }, () => assert.fail('it has no inputs')),
  );
  for (const [index, derivation] of derivations.entries()) {
    await writeFile(store.realPath(paths[index]!), printDerivation(DEFAULT_STORE_DIR, derivation));
  }
  return derivations[0]!.outputs.get('out')!.path;
}
