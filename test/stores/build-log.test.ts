import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/errors.ts';
import { DEFAULT_STORE_DIR, type StorePath } from '../../src/formats/store-path.ts';
import { findBuildLog, type LogStore } from '../../src/stores/build-log.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import type { Sink } from '../../src/stores/store.ts';
import { add, collect, makeBuiltObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const OUTPUT = await makeBuiltObject('out', file('text'));
const DRV = OUTPUT.info.deriver!;

/** A store that has a log, or none, or breaks off after so much of it. */
class Logs extends MemoryStore implements LogStore {
  readonly #log: string | undefined;
  readonly #error: Error | undefined;

  constructor(log?: string, error?: Error) {
    super(DEFAULT_STORE_DIR);
    this.#log = log;
    this.#error = error;
  }

  async pourBuildLog(drvPath: StorePath, sink: Sink): Promise<boolean> {
    if (this.#log !== undefined && drvPath === DRV) await sink(Buffer.from(this.#log));
    if (this.#error !== undefined) throw this.#error;
    return this.#log !== undefined && drvPath === DRV;
  }
}

async function find(path: StorePath, ...stores: readonly MemoryStore[]): Promise<string | undefined> {
  let found = false;
  const bytes = await collect(async (sink) => {
    found = await findBuildLog(stores, path, sink);
  });
  return found ? bytes.toString() : undefined;
}

const broken = new StoreError('broken');

describe('finding a build log', () => {
  test('takes the first store that has it', async () => {
    const stores = [new MemoryStore(DEFAULT_STORE_DIR), new Logs(), new Logs('one'), new Logs('two')];
    assert.equal(await find(DRV, ...stores), 'one');
  });

  test('goes by the derivation that made a path, as each store knows it', async () => {
    const knows = new Logs('one');
    await add(knows, OUTPUT);
    assert.equal(await find(OUTPUT.info.path, new Logs('not asked'), knows), 'one');
    assert.equal(await find(OUTPUT.info.path, new Logs('not asked')), undefined);
  });

  test('goes on behind a store that fails, and fails with it where no other has the log', async () => {
    assert.equal(await find(DRV, new Logs(undefined, broken), new Logs('one')), 'one');
    await assert.rejects(find(DRV, new Logs(undefined, broken), new Logs()), broken);
  });

  test('ends where a store breaks off: nothing may come twice', async () => {
    await assert.rejects(find(DRV, new Logs('half', broken), new Logs('one')), broken);
  });
});
