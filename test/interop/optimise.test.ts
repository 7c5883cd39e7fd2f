import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, lstatSync, readdirSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cliOutput, runCli } from '../support/cli.ts';
import { full, makeNode } from '../support/gc-store.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { lines, MAIN, output } from '../support/run.ts';
import { add } from '../support/store-objects.ts';
import { noOrdinaryUser } from '../support/store-process-control.ts';
import { directory, file, type Tree } from '../support/trees.ts';

const resources = new AsyncDisposableStack();
let home: string;
let nix: Nix;

before(async () => {
  home = await temporaryDirectory(resources);
  nix = await Nix.open(join(home, 'home'));
  await using filling = new AsyncDisposableStack();
  const store = await openTestStore(join(home, 'made'), filling, { requireSigs: false });
  await add(store, ...Array.from({ length: 40 }, (_, seed) => makeNode(`tree-${seed}`, {}, treeOf(seed))));
  await add(store, ...[1, 2, 3].map((seed) => makeNode(`file-${seed}`, {}, file('the same'))));
});
after(() => resources.disposeAsync());

/** Much of it is what other seeds have as well. */
function treeOf(seed: number): Tree {
  return directory({
    common: file('common'),
    empty: file(''),
    own: file(`own ${seed}`),
    'one-of-three': file(`${seed % 3}`.repeat(5000)),
    link: { type: 'symlink', target: seed % 2 === 0 ? 'common' : 'own' },
    bin: directory({ tool: file('common', true), large: file('x'.repeat(300_000 + (seed % 4))) }),
    'f\xfcr': file('common'),
  });
}

function copyOfStore(name: string): string {
  const root = join(home, name);
  cpSync(join(home, 'made'), root, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  return root;
}

/** The names in `.links`, and how many links each has. */
function linksOf(root: string): string[] {
  const dir = join(root, 'nix/store/.links');
  return readdirSync(dir)
    .map((name) => `${name} ${lstatSync(join(dir, name)).nlink}`)
    .sort();
}

const freed = (text: string): string | undefined => /[\d.]+ MiB freed by hard-linking \d+ files/.exec(text)?.[0];

async function optimiseByStock(root: string): Promise<string | undefined> {
  const { code, stderr } = await nix.run('nix-store', '--store', root, '--optimise');
  assert.equal(code, 0, stderr);
  return freed(stderr);
}

async function optimiseByUs(root: string): Promise<string | undefined> {
  const { code, stderr } = await runCli(['optimise', '--store', root]);
  assert.equal(code, 0, stderr);
  return freed(stderr);
}

describe('beside stock Nix', { skip: nixMissing }, () => {
  test('the same links are made, the same number of files is replaced, and nothing is wrong afterwards', async () => {
    const [ours, theirs] = [copyOfStore('ours'), copyOfStore('theirs')];
    const said = await optimiseByUs(ours);
    assert.match(said ?? '', /hard-linking [1-9]/);
    assert.equal(said, await optimiseByStock(theirs));
    assert.deepEqual(linksOf(ours), linksOf(theirs));
    assert.deepEqual(await nix.problems(ours), []);
    assert.deepEqual(readdirSync(join(ours, 'nix/store')).sort(), readdirSync(join(theirs, 'nix/store')).sort());
  });

  test('what either has done the other need not do again', async () => {
    const root = copyOfStore('twice');
    await optimiseByStock(root);
    assert.equal(await optimiseByUs(root), '0.00 MiB freed by hard-linking 0 files');
    const other = copyOfStore('twice-again');
    await optimiseByUs(other);
    assert.equal(await optimiseByStock(other), '0.00 MiB freed by hard-linking 0 files');
  });

  test('both at once end where one alone does', async () => {
    const [together, alone] = [copyOfStore('together'), copyOfStore('alone')];
    await optimiseByUs(alone);
    const outcomes = await Promise.all([
      nix.run('nix-store', '--store', together, '--optimise'),
      runCli(['optimise', '--store', together]),
      nix.run('nix-store', '--store', together, '--optimise'),
    ]);
    assert.equal(outcomes[1].code, 0, outcomes[1].stderr);
    await optimiseByUs(together); // for what stock Nix left when it met others
    const store = join(together, 'nix/store');
    // There it leaves a name of its own, too.
    for (const name of readdirSync(store)) if (name.startsWith('.tmp-link-')) rmSync(join(store, name));
    assert.deepEqual(linksOf(together), linksOf(alone));
    assert.deepEqual(await nix.problems(together), []);
  });

  test('killed after any number of links, it leaves a store that verifies', async () => {
    const alone = copyOfStore('never-killed');
    await optimiseByUs(alone);
    const root = copyOfStore('killed');
    for (const links of [1, 10, 40]) {
      const child = spawn(process.execPath, [MAIN, 'optimise', '--store', root], { stdio: 'ignore', env: nix.env });
      const exited = once(child, 'exit');
      using watching = new DisposableStack();
      const watcher = watch(join(root, 'nix/store/.links'), () => {
        if (linksOf(root).length >= links) child.kill('SIGKILL');
      });
      watching.defer(() => watcher.close());
      await exited;
      assert.deepEqual(await nix.problems(root), []);
    }
    await optimiseByUs(root);
    const store = join(root, 'nix/store');
    for (const name of readdirSync(store)) if (name.startsWith('.tmp-link-')) rmSync(join(store, name));
    assert.deepEqual(linksOf(root), linksOf(alone));
  });

  test('an ordinary user can do it, and stock Nix finds nothing wrong', { skip: noOrdinaryUser }, async () => {
    const root = copyOfStore('of-a-user');
    const user = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['env'];
    if (process.getuid?.() === 0) {
      chmodSync(home, 0o755);
      await output('chown', ['-Rh', '65534:65534', root]);
    }
    const [program, ...args] = [...user, process.execPath, MAIN, 'optimise', '--json', '--store', root];
    const { filesLinked } = JSON.parse(await output(program!, args, { env: { ...nix.env, HOME: root } })) as {
      filesLinked: number;
    };
    assert.ok(filesLinked > 100);
    const [some] = readdirSync(join(root, 'nix/store')).filter((name) => name.endsWith('-tree-3'));
    const { mode, mtimeMs } = lstatSync(join(root, 'nix/store', some!));
    assert.deepEqual([mode & 0o777, mtimeMs], [0o555, 1000]);
    assert.deepEqual(await nix.problems(root), []);
  });

  test('with auto-optimise-store, what is added makes the links that it makes there', async () => {
    const trees = join(home, 'trees');
    cpSync(join(home, 'made/nix/store'), trees, { recursive: true, verbatimSymlinks: true });
    const names = readdirSync(trees).filter((name) => /-(tree|file)-/.test(name));
    const [ours, theirs] = [join(home, 'auto-ours'), join(home, 'auto-theirs')];
    const paths = names.map((name) => join(trees, name));
    await cliOutput(['add', '--option', 'auto-optimise-store', 'true', '--store', ours, ...paths]);
    await nix.output('nix-store', '--option', 'auto-optimise-store', 'true', '--store', theirs, '--add', ...paths);
    assert.deepEqual(linksOf(ours), linksOf(theirs));
    assert.ok(linksOf(ours).length > 10);
    assert.deepEqual(await nix.problems(ours), []);
  });

  test('with auto-optimise-store, what is substituted is linked, and a later run finds nothing to do', async () => {
    const root = join(home, 'auto-copied');
    const paths = lines(await nix.output('nix', 'path-info', '--all', '--store', join(home, 'made')));
    const copy = ['copy', '--from', `local?root=${join(home, 'made')}`, '--to', `local?root=${root}`];
    await cliOutput([...copy, '--no-check-sigs', '--option', 'auto-optimise-store', 'true', ...paths]);
    const alone = copyOfStore('optimised-later');
    await optimiseByUs(alone);
    assert.deepEqual(linksOf(root), linksOf(alone));
    assert.equal(await optimiseByStock(root), '0.00 MiB freed by hard-linking 0 files');
    assert.deepEqual(await nix.problems(root), []);
  });

  test('a collection afterwards deletes the links that nothing shares', async () => {
    const root = copyOfStore('collected');
    await optimiseByUs(root);
    await nix.output('nix-store', '--store', root, '--gc');
    assert.deepEqual(linksOf(root), []);
  });

  test('only the paths that are named are touched', async () => {
    const root = copyOfStore('some');
    const paths = ['tree-1', 'tree-3'].map((name) => full(makeNode(name).info.path));
    const text = await cliOutput(['optimise', '--store', root, '--json', ...paths]);
    const { filesLinked } = JSON.parse(text) as { filesLinked: number };
    // Three in common and the symlink, and of each tree one more `common`, under another name.
    assert.equal(filesLinked, 6);
    assert.deepEqual(await nix.problems(root), []);
  });
});
