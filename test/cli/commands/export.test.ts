import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeSettings } from '../../../src/settings.ts';
import { openStore } from '../../../src/stores/open-store.ts';
import { cliOutput, runCli } from '../../support/cli.ts';
import { exportStream } from '../../support/export-streams.ts';
import { full, makeNode } from '../../support/gc-store.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { add } from '../../support/store-objects.ts';

const [base, one, two] = [makeNode('base'), makeNode('one'), makeNode('two')];
const lib = makeNode('lib', { references: [base.info.path] });
const top = makeNode('top', { references: [lib.info.path, base.info.path] });

const resources = new AsyncDisposableStack();
let dir: string;
let root: string;

before(async () => {
  dir = await temporaryDirectory(resources);
  root = join(dir, 'store');
  await using store = await openStore(root, makeSettings({ requireSigs: false }));
  await add(store, base, lib, top, one, two);
});
after(() => resources.disposeAsync());

const sluiceExport = (...args: readonly string[]): string[] => ['export', '--store', root, ...args];

describe('export and import', () => {
  test('have help with examples', async () => {
    assert.match(await cliOutput(['export', '--help']), /\nExamples:\n {2}sluice export --closure /);
    assert.match(await cliOutput(['import', '--help']), /no signatures[\s\S]*\nExamples:\n {2}sluice import </);
  });

  test('only what is asked for is exported, or all it refers to, references first', async () => {
    assert.equal(await cliOutput(sluiceExport(full(top.info.path))), exportStream(top).toString());
    const closure = exportStream(base, lib, top).toString();
    for (const flag of ['-r', '--closure', '--recursive']) {
      assert.equal(await cliOutput(sluiceExport(flag, full(top.info.path))), closure);
    }
    assert.equal(await cliOutput(sluiceExport(...[top, base, lib].map(({ info }) => full(info.path)))), closure);
  });

  test('what does not refer to each other is sorted, whatever order it is given in', async () => {
    const sorted = [one, two].sort((a, b) => (a.info.path < b.info.path ? -1 : 1));
    const stream = exportStream(...sorted).toString();
    assert.equal(await cliOutput(sluiceExport(full(one.info.path), full(two.info.path), full(one.info.path))), stream);
    assert.equal(
      await cliOutput(sluiceExport('--stdin'), { input: `${full(two.info.path)}\n${full(one.info.path)}` }),
      stream,
    );
  });

  test('a symlink to a path will do', async () => {
    symlinkSync(full(base.info.path), join(dir, 'result'));
    assert.equal(await cliOutput(sluiceExport(join(dir, 'result'))), exportStream(base).toString());
  });

  test('a path that is not valid is refused before anything is written', async () => {
    const missing = full(makeNode('missing').info.path);
    const { code, stdout, stderr } = await runCli(sluiceExport(full(base.info.path), missing));
    assert.deepEqual([code, stdout], [1, '']);
    assert.ok(stderr.includes(`path '${missing}' is not valid in store`), stderr);
    assert.deepEqual((await runCli(sluiceExport())).code, 1);
  });

  test('what a binary cache has is exported as well', async () => {
    const cache = join(dir, 'cache');
    await mkdir(cache);
    {
      await using store = await openStore(`file://${cache}?compression=zstd`, makeSettings());
      await add(store, base, lib);
    }
    const stdout = await cliOutput(['export', '--store', `file://${cache}`, '-r', full(lib.info.path)]);
    assert.equal(stdout, exportStream(base, lib).toString());
  });

  test('import prints what was imported, as text and as JSON', async () => {
    const into = join(dir, 'into');
    const input = exportStream(base, lib);
    const paths = [base, lib].map(({ info }) => full(info.path));
    const stdout = await cliOutput(['import', '--store', into], { input });
    assert.equal(stdout, paths.map((path) => `${path}\n`).join(''));
    const json = await cliOutput(['import', '--store', into, '--json'], { input: exportStream(base, lib, top) });
    assert.deepEqual(JSON.parse(json), [
      ...paths.map((path) => ({ path, wasValid: true })),
      { path: full(top.info.path), wasValid: false },
    ]);
  });

  test('import says what is wrong with its input, and prints no path then', async () => {
    const into = join(dir, 'broken');
    for (const [input, message] of [
      ['', /the stream ends early/],
      ['nothing of the kind', /this is no stream that an export made/],
      [exportStream(base, top), /cannot register '.*-top': '.*-lib', which it refers to, is not valid/],
    ] as const) {
      const { code, stdout, stderr } = await runCli(['import', '--store', into], { input });
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, message);
    }
  });

  test('a tarball always has all references, and what registers them unless that is not wanted', async () => {
    const tarball = await cliOutput(sluiceExport('--format', 'tar', full(top.info.path)));
    const bare = await cliOutput(sluiceExport('--format', 'tar', '--no-registration', full(top.info.path)));
    assert.ok(tarball.startsWith('nix-path-registration\0') && tarball.endsWith(bare));
    for (const { info } of [base, lib, top]) assert.ok(bare.includes(`nix/store/${info.path}\0`));
  });
});
