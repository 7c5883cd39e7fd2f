import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Derivations } from '../../src/scheduler/derivations.ts';
import { makeDerivation } from '../support/derivations.ts';
import { MemoryGoalStore } from '../support/memory-goal-store.ts';
import { makeScratch } from '../support/scratch.ts';
import { NAMED } from '../support/substituters.ts';

describe('derivations of goals', () => {
  test('are read once, until they are forgotten', async () => {
    await using scratch = await makeScratch();
    const store = new MemoryGoalStore(scratch.path);
    const made = makeDerivation({ name: 'app', env: { preferLocalBuild: '1' } });
    store.addDerivations(made);
    const derivations = new Derivations(store);
    const [one, two] = await Promise.all([derivations.read(made.drvPath), derivations.read(made.drvPath)]);
    assert.equal(one, two);
    assert.deepEqual(one.derivation, made.derivation);
    assert.equal(one.options.preferLocalBuild, true);
    derivations.clear();
    assert.notEqual(await derivations.read(made.drvPath), one);
  });

  test('that cannot be read keep no other from being read', async () => {
    await using scratch = await makeScratch();
    const store = new MemoryGoalStore(scratch.path);
    const [broken, gone] = ['broken.drv', 'gone.drv'].map(NAMED) as [
      ReturnType<typeof NAMED>,
      ReturnType<typeof NAMED>,
    ];
    writeFileSync(store.realPath(broken), 'Derive(');
    const made = makeDerivation({ name: 'app' });
    store.addDerivations(made);
    const derivations = new Derivations(store);
    const [one, two, three] = await Promise.allSettled(
      [broken, gone, made.drvPath].map((path) => derivations.read(path)),
    );
    assert.match(String(one?.status === 'rejected' && one.reason), /^FormatError: invalid derivation at byte 7/);
    assert.match(
      String(two?.status === 'rejected' && two.reason),
      /^StoreError: cannot read derivation '.*-gone\.drv'/,
    );
    assert.equal(three?.status, 'fulfilled');
  });

  test('let the event loop have its turns, however many there are', async () => {
    await using scratch = await makeScratch(64);
    const store = new MemoryGoalStore(scratch.path);
    const made = Array.from({ length: 2_000 }, (_, id) => makeDerivation({ name: `drv-${id}` }));
    store.addDerivations(...made);
    const derivations = new Derivations(store);
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(made.map(({ drvPath }) => derivations.read(drvPath)));
    isDone = true;
    assert.ok(turns > 3, `${turns} turns`);
  });
});
