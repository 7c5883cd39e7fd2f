import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { IncompleteClosureError, StoreError } from '../../src/errors.ts';
import { parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import { Registrar, type RegistrarOptions } from '../../src/scheduler/registrar.ts';
import type { RegisterOutcome, StagedPath } from '../../src/stores/local-store.ts';

const path = (id: number): StorePath => parseBaseName(`${'0'.repeat(32)}-path-${id}`);

function staged(id: number, ...references: number[]): StagedPath {
  const narHash = { algorithm: 'sha256', digest: new Uint8Array(32) } as const;
  const info = { path: path(id), narHash, narSize: 1, references: references.map(path), signatures: [] };
  return { info, location: `/staging/${id}` };
}

/** A store that keeps Nix's rule: references must be valid before, or come before in the batch. */
class StrictStore implements Pick<RegistrarOptions, 'store'> {
  readonly batches: StorePath[][] = [];
  readonly valid: Set<StorePath>;
  readonly refuses = new Set<StorePath>();
  readonly store: RegistrarOptions['store'] = {
    registerStaged: async (batch, { onOutcome } = {}) => {
      await new Promise(setImmediate);
      this.batches.push(batch.map(({ info }) => info.path));
      const outcomes = batch.map(({ info: { path, references } }): RegisterOutcome => {
        const missing = references.find((reference) => reference !== path && !this.valid.has(reference));
        if (missing !== undefined) return { path, state: 'failed', error: new IncompleteClosureError(missing) };
        if (this.refuses.has(path)) return { path, state: 'failed', error: new StoreError('as asked') };
        this.valid.add(path);
        return { path, state: 'registered' };
      });
      for (const each of outcomes) onOutcome?.(each);
      return outcomes;
    },
  };

  constructor(...valid: number[]) {
    this.valid = new Set(valid.map(path));
  }
}

const never = new AbortController().signal;
const outcome = async (registering: Promise<void>): Promise<string> =>
  registering.then(
    () => 'registered',
    (error: Error) => ('code' in error ? String(error.code) : error.message),
  );

describe('the registrar', () => {
  test('registers what is ready at once in one batch, references first, whatever came first', async () => {
    const fake = new StrictStore();
    const registrar = new Registrar(fake);
    const all = [staged(2, 1, 0), staged(1, 0, 1), staged(0)].map((each) => registrar.register(each, never));
    await Promise.all(all);
    assert.deepEqual(fake.batches, [[path(0), path(1), path(2)]]);
  });

  test('lets a path wait until what it refers to is valid', async () => {
    const fake = new StrictStore(0);
    const registrar = new Registrar(fake);
    const registering = registrar.register(staged(1, 0), never);
    await new Promise(setImmediate);
    assert.deepEqual(fake.batches, []);
    registrar.markValid(path(0));
    await registering;
    assert.deepEqual(fake.batches, [[path(1)]]);
  });

  test('keeps what becomes valid together in one batch, and what refers to that behind it', async () => {
    const fake = new StrictStore(0);
    const registrar = new Registrar(fake);
    const together = [path(1), path(2)];
    const first = registrar.register({ ...staged(1), together }, never);
    const others = [staged(3, 1), staged(4)].map((each) => registrar.register(each, never));
    const second = registrar.register({ ...staged(2, 0), together }, never);
    await others[1];
    assert.deepEqual(fake.batches, [[path(4)]]);
    registrar.markValid(path(0));
    await Promise.all([first, second, ...others]);
    assert.deepEqual(fake.batches, [[path(4)], [path(1), path(3), path(2)]]);
  });

  test('withdraws with a path what it would become valid together with', async () => {
    const fake = new StrictStore();
    const registrar = new Registrar(fake);
    const together = [path(1), path(2)];
    const controller = new AbortController();
    const first = outcome(registrar.register({ ...staged(1), together }, never));
    const second = outcome(registrar.register({ ...staged(2, 0), together }, controller.signal));
    controller.abort(new Error('as asked'));
    assert.deepEqual(await Promise.all([first, second]), ['as asked', 'as asked']);
    await new Promise(setImmediate);
    assert.deepEqual(fake.batches, []);
  });

  test('fails what the store refuses, and what refers to it', async () => {
    const fake = new StrictStore();
    fake.refuses.add(path(0));
    const registrar = new Registrar(fake);
    const all = [staged(0), staged(1, 0), staged(2)].map((each) => outcome(registrar.register(each, never)));
    assert.deepEqual(await Promise.all(all), ['ERR_STORE', 'ERR_INCOMPLETE_CLOSURE', 'registered']);
  });

  test('fails a whole batch when the store throws, and goes on with the next', async () => {
    const fake = new StrictStore();
    const { registerStaged } = fake.store;
    let calls = 0;
    const store: RegistrarOptions['store'] = {
      registerStaged: (batch, options) => {
        if (calls++ === 0) throw new StoreError('disk full');
        return registerStaged(batch, options);
      },
    };
    const registrar = new Registrar({ store });
    assert.equal(await outcome(registrar.register(staged(0), never)), 'ERR_STORE');
    assert.equal(await outcome(registrar.register(staged(1), never)), 'registered');
  });

  test('lets others go on when a batch waits for a lock, but nothing that refers to it', async () => {
    const fake = new StrictStore();
    const { registerStaged } = fake.store;
    const { promise: unlocked, resolve: unlock } = Promise.withResolvers<void>();
    const store: RegistrarOptions['store'] = {
      registerStaged: async (batch, options) => {
        if (batch.some(({ info }) => info.path === path(0))) await unlocked;
        return await registerStaged(batch, options);
      },
    };
    const registrar = new Registrar({ store });
    const locked = registrar.register(staged(0), never);
    await new Promise(setImmediate);
    const behind = registrar.register(staged(1, 0), never);
    await registrar.register(staged(2), never);
    assert.deepEqual(fake.batches, [[path(2)]]);
    unlock();
    await Promise.all([locked, behind]);
    assert.deepEqual(fake.batches, [[path(2)], [path(0)], [path(1)]]);
  });

  test('withdraws what waits when its signal aborts', async () => {
    const registrar = new Registrar(new StrictStore());
    const controller = new AbortController();
    const registering = outcome(registrar.register(staged(1, 0), controller.signal));
    controller.abort(new Error('not needed'));
    assert.equal(await registering, 'not needed');
  });

  test('rejects a cycle by name and leaves alone those who wait for other reasons', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const registrar = new Registrar(new StrictStore());
    const cycle = [staged(1, 2), staged(2, 3), staged(3, 1)].map((each) => registrar.register(each, never));
    const patient = outcome(registrar.register(staged(5, 4), never));
    const behind = outcome(registrar.register(staged(6, 1), never));
    t.mock.timers.tick(1_000);
    for (const each of cycle) {
      await assert.rejects(each, { code: 'ERR_STORE', message: /cycle: 0{32}-path-1 → 0{32}-path-2 → .*path-1$/ });
    }
    const waiting = Symbol('waiting');
    assert.equal(await Promise.race([patient, behind, new Promise((r) => setImmediate(r, waiting))]), waiting);
  });

  test('any graph, staged in any order with any refused or withdrawn: all end, and the rule is kept', async () => {
    const anyGraph = fc.array(
      fc.record({
        references: fc.array(fc.nat(), { maxLength: 3 }),
        order: fc.nat(),
        fate: fc.oneof(
          { weight: 8, arbitrary: fc.constant('stage' as const) },
          { weight: 1, arbitrary: fc.constantFrom('refuse' as const, 'withdraw' as const, 'valid' as const) },
        ),
        pause: fc.boolean(),
      }),
      { maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(anyGraph, async (nodes) => {
        const fake = new StrictStore();
        const registrar = new Registrar(fake);
        const specs = nodes.map((node, id) => ({
          ...node,
          id,
          refs: id === 0 ? [] : node.references.map((r) => r % id),
        }));
        const outcomes: Promise<string>[] = [];
        // A path whose reference fails is withdrawn by its goal; here, by the controller of each that it refers to.
        const controllers = specs.map(() => new AbortController());
        const fail = (id: number): void => {
          for (const each of specs) if (each.refs.includes(id)) controllers[each.id]!.abort(new Error('reference'));
        };
        for (const { id, refs, fate, pause } of specs.toSorted((a, b) => a.order - b.order)) {
          if (pause) await new Promise(setImmediate);
          if (fate === 'valid') {
            fake.valid.add(path(id));
            registrar.markValid(path(id));
            continue;
          }
          if (fate === 'refuse') fake.refuses.add(path(id));
          const { signal } = controllers[id]!;
          const ended = signal.aborted ? 'aborted' : outcome(registrar.register(staged(id, ...refs), signal));
          outcomes.push(
            Promise.resolve(ended).then((how) => {
              if (how !== 'registered') fail(id);
              assert.equal(how === 'registered', fake.valid.has(path(id)), `path ${id}: ${how}`);
              return how;
            }),
          );
          if (fate === 'withdraw') controllers[id]!.abort(new Error('withdrawn'));
        }
        await Promise.all(outcomes);
      }),
    );
  });
});
