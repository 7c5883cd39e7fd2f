import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cliOutput, runCli } from '../../support/cli.ts';
import { full, makeNode, pathOf } from '../../support/gc-store.ts';
import { openTestStore, temporaryDirectory } from '../../support/local-store.ts';
import { add } from '../../support/store-objects.ts';

const KEPT = pathOf('kept');
const ROOT = pathOf('root');
const DEAD = pathOf('dead');

/** A store with a root, what it needs, and garbage. */
async function makeStore(resources: AsyncDisposableStack): Promise<{ dir: string; link: string }> {
  const dir = await temporaryDirectory(resources);
  await using filling = new AsyncDisposableStack();
  const store = await openTestStore(dir, filling);
  await add(store, makeNode('kept'), makeNode('root', { references: [KEPT] }), makeNode('dead'));
  const link = join(store.stateDir, 'gcroots/mine');
  symlinkSync(full(ROOT), link);
  return { dir, link };
}

describe('sluice gc', () => {
  test('says what it deleted in the words of Nix, and deletes what is dead', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir } = await makeStore(resources);
    const { code, stdout, stderr } = await runCli(['gc', '--store', dir]);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '1 store paths deleted, 0.00 MiB freed\n');
    assert.match(stderr, new RegExp(`deleting '${full(DEAD)}'`));
    assert.equal(await cliOutput(['gc', '--store', dir, '--print-dead']), '');
  });

  test('prints roots, what is alive, and what is dead', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, link } = await makeStore(resources);
    const gc = (...args: string[]): Promise<string> => cliOutput(['gc', '--store', dir, ...args]);
    assert.equal(await gc('--print-roots'), `${link} -> ${full(ROOT)}\n`);
    assert.equal(await gc('--print-live'), [KEPT, ROOT].map(full).sort().join('\n').concat('\n'));
    assert.equal(await gc('--print-dead'), `${full(DEAD)}\n`);
    assert.deepEqual(JSON.parse(await gc('--print-roots', '--json')), [
      { from: link, path: full(ROOT), kind: 'permanent' },
    ]);
  });

  test('with --dry-run tells how much would go, and nothing goes', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir } = await makeStore(resources);
    for (let time = 0; time < 2; time++) {
      const { stdout, stderr } = await runCli(['gc', '--store', dir, '--dry-run']);
      assert.equal(stdout, `${full(DEAD)}\n`);
      assert.match(stderr, /1 store path would be deleted, of \d+ B/);
    }
  });

  test('with --json prints what was deleted', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir } = await makeStore(resources);
    const result: unknown = JSON.parse(await cliOutput(['gc', '--store', dir, '--json']));
    assert.deepEqual(result, { paths: [full(DEAD)], bytes: 4 });
  });

  test('refuses to delete what is alive, and shows what keeps it', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, link } = await makeStore(resources);
    const { code, stdout, stderr } = await runCli(['gc', '--store', dir, '--delete', full(KEPT), full(DEAD)]);
    assert.equal(code, 1);
    assert.equal(stdout, '1 store paths deleted, 0.00 MiB freed\n');
    assert.match(stderr, new RegExp(`cannot delete path '${full(KEPT)}' since it is still alive`));
    assert.ok(stderr.includes(`  ${link}\n  -> ${full(ROOT)}\n  -> ${full(KEPT)}\n`), stderr);
  });

  test('reads a store that is read-only, and does not change it', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir } = await makeStore(resources);
    const store = `local?root=${dir}&read-only=true`;
    assert.equal(await cliOutput(['gc', '--store', store, '--print-dead']), `${full(DEAD)}\n`);
    const { code, stderr } = await runCli(['gc', '--store', store]);
    assert.equal(code, 1);
    assert.match(stderr, /reading only/);
  });

  for (const args of [
    ['--print-live', '--print-dead'],
    ['/nix/store/x'],
    ['--ignore-liveness'],
    ['--max-freed', 'much'],
    ['--delete'],
  ]) {
    test(`does nothing with ${args.join(' ')}`, async () => {
      await using resources = new AsyncDisposableStack();
      const dir = await temporaryDirectory(resources);
      assert.equal((await runCli(['gc', '--store', dir, ...args])).code, 1);
    });
  }
});

describe('sluice root', () => {
  test('adds a root that keeps a path until the symlink goes', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir } = await makeStore(resources);
    const link = join(dir, 'result');
    assert.equal(await cliOutput(['root', 'add', link, full(DEAD), '--store', dir]), `${link}\n`);
    const list = await cliOutput(['root', 'list', '--store', dir]);
    assert.ok(list.split('\n').includes(`${link} -> ${full(DEAD)}`), list);
    assert.match(await cliOutput(['gc', '--store', dir]), /^0 store paths/);
    rmSync(link);
    assert.match(await cliOutput(['gc', '--store', dir]), /^1 store paths/);
  });

  test('does not add one for what is not valid', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir } = await makeStore(resources);
    const { code, stderr } = await runCli(['root', 'add', join(dir, 'result'), full(pathOf('none')), '--store', dir]);
    assert.equal(code, 1);
    assert.match(stderr, /not valid/);
  });
});
