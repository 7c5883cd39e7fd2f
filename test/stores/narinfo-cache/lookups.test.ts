import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import { NarInfoDatabase } from '../../../src/stores/narinfo-cache/database.ts';
import { NarInfoFile } from '../../../src/stores/narinfo-cache/file.ts';
import { Lookups } from '../../../src/stores/narinfo-cache/lookups.ts';
import { makeScratch } from '../../support/scratch.ts';

const CACHES = ['https://a.example.org', 'https://b.example.org'].map((url) => ({ url, storeDir: DEFAULT_STORE_DIR }));
const [A, B] = CACHES as [(typeof CACHES)[0], (typeof CACHES)[0]];

interface Setup extends AsyncDisposable {
  readonly lookups: Lookups;
  /** How many statements asked, and for how many narinfos each. */
  readonly statements: number[];
  readonly transactions: () => number;
}

/** Of each cache the file has as many narinfos as said. */
async function setUp(t: TestContext, size: number): Promise<Setup> {
  const resources = new AsyncDisposableStack();
  const path = join(resources.use(await makeScratch()).path, 'cache.sqlite');
  const file = resources.use(new NarInfoFile(path, assert.fail));
  const fill = (database: NarInfoDatabase): void => {
    for (const cache of CACHES) {
      for (let index = 0; index < size; index++) {
        database.change({ cache, hashPart: `h${index}`, answer: { value: `${cache.url} ${index}`, since: index } });
      }
    }
  };
  if (size > 0) file.attempt((database) => database.transaction(() => fill(database), { writes: true }));
  const asked = t.mock.method(NarInfoDatabase.prototype, 'narInfos');
  const transaction = t.mock.method(NarInfoDatabase.prototype, 'transaction');
  return {
    lookups: resources.use(new Lookups(file)),
    get statements() {
      return asked.mock.calls.map((call) => call.arguments[1].length);
    },
    transactions: () => transaction.mock.callCount(),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

describe('questions about narinfos', () => {
  test('of one turn of the event loop are one statement a cache, in one transaction', async (t) => {
    await using setup = await setUp(t, 100);
    const questions = Array.from({ length: 60 }, (_, index) => [
      setup.lookups.ask(A, `h${index}`),
      setup.lookups.ask(B, `h${index}`),
    ]);
    const answers = await Promise.all(questions.flat());
    assert.deepEqual(answers[0], { value: 'https://a.example.org 0', since: 0 });
    assert.deepEqual(answers[119], { value: 'https://b.example.org 59', since: 59 });
    assert.ok(answers.every((answer) => answer !== undefined));
    assert.deepEqual(setup.statements, [60, 60]);
    assert.equal(setup.transactions(), 1);
  });

  test('are bounded batches where there are many', async (t) => {
    await using setup = await setUp(t, 1200);
    const answers = await Promise.all(Array.from({ length: 1300 }, (_, index) => setup.lookups.ask(A, `h${index}`)));
    assert.deepEqual(setup.statements, [500, 500, 300]);
    assert.deepEqual(
      answers.map((answer) => answer?.since),
      [...Array.from({ length: 1200 }, (_, index) => index), ...Array.from({ length: 100 }, () => undefined)],
    );
  });

  test('are not asked where there is no file', async (t) => {
    await using setup = await setUp(t, 0);
    assert.equal(await setup.lookups.ask(A, 'h1'), undefined);
    assert.equal(setup.transactions(), 0);
  });

  test('get no answer when it ends before', async (t) => {
    await using setup = await setUp(t, 1);
    const answer = setup.lookups.ask(A, 'h0');
    setup.lookups[Symbol.dispose]();
    assert.equal(await answer, undefined);
    assert.deepEqual(setup.statements, []);
  });
});
