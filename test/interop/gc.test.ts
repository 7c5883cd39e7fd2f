import assert from 'node:assert/strict';
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { JobName, Reply, Request } from '../../src/pool/messages.ts';
import { type RunOptions, WorkerPool } from '../../src/pool/worker-pool.ts';
import { collectGarbage, findGarbage } from '../../src/scheduler/collect-garbage.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { cliOutput } from '../support/cli.ts';
import { full, makeFilledStore, makeNode, pathOf } from '../support/gc-store.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { lines } from '../support/run.ts';
import { add } from '../support/store-objects.ts';

const KEEPS = [
  { keepOutputs: false, keepDerivations: true },
  { keepOutputs: true, keepDerivations: true },
  { keepOutputs: true, keepDerivations: false },
  { keepOutputs: false, keepDerivations: false },
] as const;

function asFlags({ keepOutputs, keepDerivations }: (typeof KEEPS)[number]): string[] {
  return ['--option', 'keep-outputs', String(keepOutputs), '--option', 'keep-derivations', String(keepDerivations)];
}

describe('beside stock Nix', { skip: nixMissing }, () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`what is alive and what is dead is the same, store ${seed}`, async () => {
      await using resources = new AsyncDisposableStack();
      const home = await temporaryDirectory(resources);
      const nix = await Nix.open(home);
      const root = join(home, 'store');
      const store = await makeFilledStore(root, home, seed, resources);
      const pool = resources.use(new WorkerPool({ settings: makeSettings({ workerThreads: 1 }) }));
      for (const keep of KEEPS) {
        const found = await findGarbage({ store, pool, settings: makeSettings(keep) });
        for (const [flag, paths] of [
          ['--print-live', found.live],
          ['--print-dead', found.dead],
        ] as const) {
          const stock = await nix.output('nix-store', '--store', root, '--gc', flag, ...asFlags(keep));
          assert.deepEqual(paths.map(full), lines(stock).sort(), `${flag} with ${JSON.stringify(keep)}`);
          assert.ok(paths.length > 5);
        }
      }
    });
  }

  test('what is left after a collection is the same, and stock Nix finds nothing wrong with it', async () => {
    await using resources = new AsyncDisposableStack();
    const home = await temporaryDirectory(resources);
    const nix = await Nix.open(home);
    const [ours, theirs] = [join(home, 'ours'), join(home, 'theirs')];
    {
      await using filling = new AsyncDisposableStack();
      await makeFilledStore(ours, home, 9, filling);
    }
    cpSync(ours, theirs, { recursive: true, verbatimSymlinks: true });
    const store = await openTestStore(ours, resources);
    const deleted: string[] = [];
    const result = await collectGarbage({ store, settings: makeSettings(), onDeleted: (path) => deleted.push(path) });
    const stock = await nix.output('nix-store', '--store', theirs, '--gc');
    assert.deepEqual(result.problems, []);
    assert.equal(result.deleted, deleted.length);
    assert.match(stock, new RegExp(`^${result.deleted} store paths deleted, `));
    assert.equal(
      stock,
      `${result.deleted} store paths deleted, ${(result.bytesFreed / 2 ** 20).toFixed(2)} MiB freed\n`,
    );
    const left = (root: string): string[] => readdirSync(join(root, 'nix/store')).sort();
    assert.deepEqual(left(ours), left(theirs));
    const valid = async (root: string): Promise<string[]> =>
      lines(await nix.output('nix-store', '--store', root, '--dump-db'))
        .filter((line) => line.startsWith('/'))
        .sort();
    assert.deepEqual(await valid(ours), await valid(theirs));
    assert.deepEqual(readdirSync(join(ours, 'nix/var/nix/gc-socket')), ['socket'], 'as stock Nix leaves it');
  });

  test('roots are printed as stock Nix prints them', async () => {
    await using resources = new AsyncDisposableStack();
    const home = await temporaryDirectory(resources);
    const nix = await Nix.open(home);
    const root = join(home, 'store');
    await makeFilledStore(root, home, 11, resources);
    const stock = await nix.output('nix-store', '--store', root, '--gc', '--print-roots');
    assert.equal(await cliOutput(['gc', '--store', root, '--print-roots']), stock);
    assert.ok(lines(stock).length > 3);
    const asked = lines(await nix.output('nix-store', '--store', root, '--gc', '--print-live')).slice(0, 25);
    for (const flags of KEEPS.map(asFlags)) {
      const ours = await cliOutput(['query', '--roots', '--store', root, ...flags, ...asked]);
      const theirs = await nix.output('nix-store', '--store', root, '-q', '--roots', ...flags, ...asked);
      assert.deepEqual(lines(ours), lines(theirs).sort());
      assert.ok(ours !== '');
    }
  });

  test('a path that stock Nix adds during a collection stays, and stock Nix does not wait for its end', async () => {
    await using resources = new AsyncDisposableStack();
    const home = await temporaryDirectory(resources);
    const nix = await Nix.open(home);
    const root = join(home, 'store');
    {
      await using filling = new AsyncDisposableStack();
      const filled = await openTestStore(root, filling);
      await add(filled, ...Array.from({ length: 50 }, (_, index) => makeNode(`dead-${index}`)));
    }
    const store = await openTestStore(root, resources);
    const file = join(home, 'added');
    writeFileSync(file, 'contents');
    const settings = makeSettings({ workerThreads: 1 });
    const held = new HeldPool(settings);
    resources.use(held);
    const collecting = collectGarbage({ store, settings, pool: held });
    await held.reached;
    // The lock is held, and rows are gone: the same path again, and one that is garbage otherwise.
    const added = (await nix.output('nix-store', '--store', root, '--add', file)).trim();
    held.letGo();
    const { deleted } = await collecting;
    assert.equal(deleted, 50);
    assert.deepEqual((await store.queryAllValidPaths()).map(full), [added]);
    assert.deepEqual(await nix.problems(root), []);
  });

  test('an indirect root is one for stock Nix, and the other way round', async () => {
    await using resources = new AsyncDisposableStack();
    const home = await temporaryDirectory(resources);
    const nix = await Nix.open(home);
    const root = join(home, 'store');
    {
      await using filling = new AsyncDisposableStack();
      await add(await openTestStore(root, filling), makeNode('one'), makeNode('two'), makeNode('three'));
    }
    const [one, two] = [join(home, 'one'), join(home, 'two')];
    await cliOutput(['root', 'add', one, full(pathOf('one')), '--store', root]);
    await nix.output('nix-store', '--store', root, '--add-root', two, '--indirect', '-r', full(pathOf('two')));
    const roots = await cliOutput(['gc', '--store', root, '--print-roots']);
    assert.equal(roots, `${one} -> ${full(pathOf('one'))}\n${two} -> ${full(pathOf('two'))}\n`);
    assert.equal(await nix.output('nix-store', '--store', root, '--gc', '--print-roots'), roots);
    await nix.output('nix-store', '--store', root, '--gc');
    const store = await openTestStore(root, resources);
    assert.deepEqual((await store.queryAllValidPaths()).sort(), ['one', 'two'].map(pathOf).sort());
  });
});

/** A pool that waits before it deletes. */
class HeldPool extends WorkerPool {
  readonly #reached = Promise.withResolvers<void>();
  readonly #gate = Promise.withResolvers<void>();
  readonly reached: Promise<void> = this.#reached.promise;

  constructor(settings: Settings) {
    super({ settings });
  }

  letGo(): void {
    this.#gate.resolve();
  }

  override async run<N extends JobName>(name: N, request: Request<N>, options?: RunOptions): Promise<Reply<N>> {
    if (name === 'deletePaths') {
      this.#reached.resolve();
      await this.#gate.promise;
    }
    return await super.run(name, request, options);
  }
}
