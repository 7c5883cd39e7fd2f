import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/errors.ts';
import { type Derivation, type DraftDerivation, printDerivation } from '../../src/formats/derivation.ts';
import { derivationPath, fillOutputs, hashDerivationModulo } from '../../src/formats/derivation-hash.ts';
import type { Hash } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, parseBaseName, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { DerivationReader } from '../../src/stores/derivations.ts';
import { makeDerivation, makeNode } from '../support/gc-store.ts';
import { emptyStore } from '../support/local-store.ts';
import { makeScratch } from '../support/scratch.ts';
import { add } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

/** Derivations in a directory, each with the hash of those before it. */
class Files {
  readonly storeDir = DEFAULT_STORE_DIR;
  readonly directory: string;
  readonly #hashes = new Map<StorePath, Hash>();

  constructor(directory: string) {
    this.directory = directory;
  }

  realPath(path: StorePath): string {
    return join(this.directory, path);
  }

  /** Writes a derivation down, with outputs that follow from it. */
  put(name: string, inputs: readonly StorePath[] = []): StorePath {
    const draft: DraftDerivation = {
      name,
      outputs: new Map([['out', {}]]),
      inputDrvs: new Map(inputs.toSorted().map((path) => [path, ['out']])),
      inputSrcs: [],
      system: 's',
      builder: 'b',
      args: [],
      env: new Map(),
    };
    const inputHash = (path: StorePath): Hash => this.#hashes.get(path)!;
    const derivation = fillOutputs(DEFAULT_STORE_DIR, draft, inputHash);
    const path = derivationPath(DEFAULT_STORE_DIR, derivation);
    this.#hashes.set(path, hashDerivationModulo(DEFAULT_STORE_DIR, derivation, inputHash));
    this.write(path, derivation);
    return path;
  }

  write(path: StorePath, derivation: Derivation): void {
    writeFileSync(this.realPath(path), printDerivation(DEFAULT_STORE_DIR, derivation));
  }
}

async function openFiles(resources: AsyncDisposableStack): Promise<{ files: Files; reader: DerivationReader }> {
  const files = new Files(resources.use(await makeScratch()).path);
  return { files, reader: new DerivationReader(files) };
}

describe('derivations of a store', () => {
  test('are read with all that they say', async () => {
    await using resources = new AsyncDisposableStack();
    const { files, reader } = await openFiles(resources);
    const base = files.put('base');
    const top = files.put('top', [base]);
    const derivation = await reader.readDerivation(top);
    assert.deepEqual([derivation.name, derivation.inputDrvs], ['top', new Map([[base, ['out']]])]);
  });

  test('are read at the end of a chain of any length, and shared inputs once', async () => {
    await using resources = new AsyncDisposableStack();
    const { files, reader } = await openFiles(resources);
    let [left, right] = [files.put('left'), files.put('right')];
    // With every way walked, 2¹⁰⁰⁰⁰ of them.
    for (let level = 0; level < 10_000; level++) {
      [left, right] = [
        files.put(`l${level}`, [left, right]),
        level % 100 === 0 ? files.put(`r${level}`, [left, right]) : left,
      ];
    }
    assert.equal((await reader.readDerivation(left)).name, 'l9999');
  });

  test('are refused where their path or their outputs do not follow from them', async () => {
    await using resources = new AsyncDisposableStack();
    const { files, reader } = await openFiles(resources);
    const path = files.put('x');
    const derivation = await reader.readDerivation(path);
    files.write(path, { ...derivation, args: ['more'] });
    await assert.rejects(reader.readDerivation(path), /wrong path for its text/);
    const wrong = { ...derivation, args: ['more'] };
    const there = derivationPath(DEFAULT_STORE_DIR, wrong);
    files.write(there, wrong);
    await assert.rejects(reader.readDerivation(there), /wrong output 'out', wanted '.*-x', got '.*-x'/);
  });

  test('are refused by name where one that they need is missing, broken, or needs itself', async () => {
    await using resources = new AsyncDisposableStack();
    const { files } = await openFiles(resources);
    const base = files.put('base');
    const top = files.put('top', [files.put('middle', [base])]);
    const read = (): Promise<unknown> => new DerivationReader(files).readDerivation(top);
    const file = files.realPath(base);
    const cases: readonly (readonly [() => void, RegExp])[] = [
      [() => {}, /cannot read derivation '.*-base\.drv': ENOENT/],
      [() => writeFileSync(file, 'no'), /cannot read derivation '.*-base\.drv': .* byte 0/],
      [() => mkdirSync(file), /no regular file/],
      [() => symlinkSync('/dev/zero', file), /ELOOP/],
    ];
    for (const [change, problem] of cases) {
      rmSync(file, { recursive: true, force: true });
      change();
      await assert.rejects(read(), (error) => error instanceof StoreError && problem.test(error.message));
    }
    rmSync(files.realPath(base));
    const text = `Derive([("out","/nix/store/${base.slice(0, -4)}","","")],[("/nix/store/${top}",["out"])],[],"s","b",[],[])`;
    writeFileSync(files.realPath(base), text);
    await assert.rejects(read(), /needs itself/);
  });

  test('are not registered with wrong outputs', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    const good = makeDerivation('good', ['out']);
    await add(store, good);
    assert.ok(await store.isValidPath(good.info.path));
    const output = printStorePath(DEFAULT_STORE_DIR, parseBaseName(`${'0'.repeat(32)}-bad`));
    for (const text of [
      `Derive([("out","${output}","","")],[],[],"s","b",[],[("out","${output}")])`,
      // With another output that nobody can check.
      `Derive([("dev","","",""),("out","${output}","","")],[],[],"s","b",[],[("out","${output}")])`,
      `DrvWithVersion("xp-dyn-drv",[("out","${output}","","")],[],[],"s","b",[],[("out","${output}")])`,
    ]) {
      const bad = makeNode('bad.drv', {}, file(text));
      await assert.rejects(add(store, bad), (error) => error instanceof StoreError);
      assert.ok(!(await store.isValidPath(bad.info.path)));
    }
  });

  test('are registered unchecked where no output is known beforehand', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    const floating = makeNode('x.drv', {}, file('Derive([("out","","r:sha256","")],[],[],"s","b",[],[])'));
    await add(store, floating);
    assert.ok(await store.isValidPath(floating.info.path));
    await assert.rejects(store.readDerivation(floating.info.path), /floating content-addressed.* not supported/);
  });

  test('are registered together with those that they need', async () => {
    await using resources = new AsyncDisposableStack();
    const { files } = await openFiles(resources);
    const { store } = await emptyStore(resources);
    const base = files.put('base');
    const top = files.put('top', [base]);
    await using staging = await store.openStaging();
    const batch = [base, top].map((path) => {
      const location = join(staging.dir, path);
      const references = path === top ? [base] : [];
      copyFileSync(files.realPath(path), location);
      return { info: { ...makeNode('x').info, path, references }, location };
    });
    const outcomes = await store.registerStaged(batch);
    assert.deepEqual(
      outcomes.map(({ state }) => state),
      ['registered', 'registered'],
    );
    assert.equal((await store.readDerivation(top)).name, 'top');
  });
});
