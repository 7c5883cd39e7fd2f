import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { printStorePath } from '../../src/formats/store-path.ts';
import { cliOutput } from '../support/cli.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { output } from '../support/run.ts';

const resources = new AsyncDisposableStack();
let home: string;
let nix: Nix;

before(async () => {
  home = await temporaryDirectory(resources);
  nix = await Nix.open(join(home, 'home'));
  const tree = join(home, 'a-tree');
  await mkdir(join(tree, 'empty'), { recursive: true });
  await mkdir(join(tree, 'sub'));
  await writeFile(join(tree, 'sub/file'), 'contents');
  await writeFile(join(tree, 'sub/tool'), '#!/bin/sh\n');
  await chmod(join(tree, 'sub/tool'), 0o755);
  await symlink('sub/file', join(tree, 'link'));
  await writeFile(join(home, 'one.txt'), 'one\n');
  await writeFile(join(home, 'none'), '');
  await writeFile(join(home, 'tool'), '#!/bin/sh\n');
  await chmod(join(home, 'tool'), 0o755);
  await symlink('nowhere', join(home, 'dangling'));
  await writeFile(join(home, 'large'), Buffer.alloc(9_000_000, 'large'));
});
after(() => resources.disposeAsync());

const FILES = ['one.txt', 'none', 'large', 'tool'];
const CASES: readonly (readonly [stock: readonly string[], ours: readonly string[], of: readonly string[]])[] = [
  [['nix-store', '--add'], [], ['a-tree', 'dangling', ...FILES]],
  [['nix', 'store', 'add-path'], [], ['a-tree', 'dangling', ...FILES]],
  [
    ['nix', 'store', 'add-path', '--name', 'other'],
    ['--name', 'other'],
    ['a-tree', 'one.txt'],
  ],
  [['nix', 'store', 'add-file'], ['--flat'], FILES],
  ...['md5', 'sha1', 'sha256', 'sha512'].flatMap(
    (name) =>
      [
        [['nix-store', '--add-fixed', name], ['--flat', '--hash-algo', name], FILES],
        [
          ['nix-store', '--add-fixed', '--recursive', name],
          ['--hash-algo', name],
          ['a-tree', 'one.txt', 'tool'],
        ],
      ] as const,
  ),
];

describe('beside stock Nix', { skip: nixMissing }, () => {
  for (const [[program, ...stockArgs], args, files] of CASES) {
    test(`${[program, ...stockArgs].join(' ')} makes the path that ${['sluice add', ...args].join(' ')} makes`, async () => {
      for (const name of files) {
        const [ours, theirs] = [join(home, 'ours'), join(home, 'theirs')];
        const file = join(home, name);
        const stock = await nix.output(program as 'nix', ...stockArgs, '--store', theirs, file);
        const options = ['--store', ours, ...args];
        const expected = stock.endsWith('\n') ? stock : `${stock}\n`;
        assert.equal(await cliOutput(['add', '--dry-run', ...options, file]), expected, name);
        assert.equal(await cliOutput(['add', ...options, file]), expected, name);
        if (name === 'tool' && args.includes('--flat')) continue; // there it stays executable; Nix 2.35 does as we do
        const path = stock.trim();
        const describe = (root: string): Promise<string> =>
          nix.output('nix', 'path-info', '--json', '--store', root, path);
        const known = async (root: string): Promise<unknown> => {
          const [{ registrationTime: _, ...info }] = JSON.parse(await describe(root)) as [Record<string, unknown>];
          return info;
        };
        assert.deepEqual(await known(ours), await known(theirs), name);
      }
    });
  }

  test('a text with references has the path that builtins.toFile gives it', async () => {
    const root = join(home, 'texts');
    await using opened = new AsyncDisposableStack();
    const store = await openTestStore(root, opened);
    const first = await store.addTextToStore('first', 'no references');
    const full = printStorePath(store.storeDir, first.path);
    const second = await store.addTextToStore('second', `refers to ${full}`, [first.path]);
    const expression = `let first = builtins.toFile "first" "no references"; in builtins.toFile "second" "refers to \${first}"`;
    const args = ['--store', join(home, 'theirs'), '--eval', '--strict', '--read-write-mode', '-E', expression];
    const stock = await output('nix-instantiate', args, { env: nix.env });
    assert.equal(JSON.parse(stock), printStorePath(store.storeDir, second.path));
    assert.equal(
      await nix.output('nix-store', '--store', root, '-q', '--references', JSON.parse(stock) as string),
      `${full}\n`,
    );
  });

  test('stock Nix finds nothing wrong with what was added', async () => {
    await cliOutput(['add', '--store', join(home, 'ours'), ...FILES.map((name) => join(home, name))]);
    assert.deepEqual(await nix.problems(join(home, 'ours')), []);
  });
});
