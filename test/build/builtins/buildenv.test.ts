import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { BUILTINS } from '../../../src/build/builtins/builtins.ts';
import { DEFAULT_STORE_DIR, parseWithin } from '../../../src/formats/store-path.ts';
import { failsWith, inventedPath } from '../../support/built-outputs.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { type BuiltinRun, builtinContext } from '../../support/run-builtin.ts';

const STORE_DIR = '/nix/store';
const full = (name: string): string => `${STORE_DIR}/${inventedPath(name)}`;

/** A store whose paths lie somewhere else, as in a chroot store. What is made is compared with stock Nix in test/interop. */
class Case {
  readonly #dir: string;
  readonly out: string;
  readonly told: BuiltinRun = { log: [], downloaded: 0 };

  constructor(dir: string) {
    this.#dir = dir;
    this.out = join(dir, 'out');
  }

  /** Makes a package: texts by file name; a text that begins with `->` is a symlink. */
  package(name: string, files: Readonly<Record<string, string>>): string {
    for (const [file, text] of Object.entries(files)) {
      const path = join(this.#dir, 'store', inventedPath(name), file);
      mkdirSync(dirname(path), { recursive: true });
      if (text.startsWith('->')) symlinkSync(text.slice(2), path);
      else writeFileSync(path, text);
    }
    return full(name);
  }

  async build(derivations: string, manifest = full('manifest')): Promise<void> {
    const env = new Map(Object.entries({ derivations, manifest, out: full('env') }));
    const context = builtinContext({ builder: 'builtin:buildenv', env }, this.out, {}, this.told);
    const realPath = (path: string): string => {
      const within = parseWithin(DEFAULT_STORE_DIR, path);
      return join(this.#dir, 'store', within.path + within.rest);
    };
    await BUILTINS.buildenv!({ ...context, realPath });
  }

  link(file: string): string {
    return readlinkSync(join(this.out, file));
  }
}

const open = async (resources: AsyncDisposableStack): Promise<Case> => new Case(await temporaryDirectory(resources));

describe('builtin:buildenv', () => {
  test('links to where packages are in the store, wherever that lies', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const a = one.package('a', { 'bin/a': '', 'share/x': '' });
    const b = one.package('b', { 'bin/b': '' });
    await one.build(`true 5 1 ${a} true 5 1 ${b}`);
    assert.deepEqual(readdirSync(one.out).sort(), ['bin', 'manifest.nix', 'share']);
    assert.equal(one.link('share'), `${a}/share`);
    assert.equal(one.link('bin/a'), `${a}/bin/a`);
    assert.equal(one.link('bin/b'), `${b}/bin/b`);
    assert.equal(one.link('manifest.nix'), full('manifest'));
  });

  test('follows symlinks in the store, and takes those that lead out of it for dangling', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const lib = one.package('lib', { 'lib/x': '' });
    const a = one.package('a', {
      lib: `->${lib}/lib`,
      host: '->/etc/passwd',
      in: '->../../../../../etc',
      loop: '->loop',
      bad: '->/nix/store/x/y',
    });
    const b = one.package('b', { 'lib/y': '' });
    await one.build(`true 5 1 ${a} true 5 1 ${b}`);
    assert.equal(one.link('lib/x'), `${lib}/lib/x`);
    assert.equal(one.link('lib/y'), `${b}/lib/y`);
    assert.deepEqual(readdirSync(one.out).sort(), ['lib', 'manifest.nix']);
    assert.equal(
      one.told.log.filter((line) => /^warning: skipping dangling symlink '.*\/(?:bad|host|in|loop)'$/.test(line))
        .length,
      4,
    );
  });

  const BROKEN = [
    ['true', 'no priority'],
    ['true x 1 /nix/store/a', 'a priority that is no number'],
    ['true 5 -1', 'a count below zero'],
    ['true 5 2 /nix/store/a', 'less paths than it says'],
  ] as const;
  for (const [derivations, why] of BROKEN) {
    test(`refuses packages with ${why}`, async () => {
      await using resources = new AsyncDisposableStack();
      const one = await open(resources);
      await assert.rejects(one.build(derivations), failsWith('permanentFailure', /'derivations' is broken at word 1/));
      assert.equal(existsSync(one.out), false);
    });
  }

  for (const path of ['/nix/store/00000000000000000000000000000000-gone', '/etc', '/nix/store/../../etc']) {
    test(`misses package ${path}`, async () => {
      await using resources = new AsyncDisposableStack();
      const one = await open(resources);
      await assert.rejects(one.build(`true 5 1 ${path}`), failsWith('permanentFailure', /it is not there/));
    });
  }

  test('says what is missing of its attributes', async () => {
    await using resources = new AsyncDisposableStack();
    const one = await open(resources);
    const context = builtinContext({ builder: 'builtin:buildenv', env: new Map() }, one.out);
    await assert.rejects(
      BUILTINS.buildenv!(context),
      failsWith('permanentFailure', /builtin:buildenv of 'test': attribute 'derivations' missing/),
    );
  });
});
