import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hashBytes } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, type StorePath } from '../../src/formats/store-path.ts';
import { checkStaged, moveBack, moveIn, type StagedPath } from '../../src/stores/staged-path.ts';
import { stage, temporaryDirectory } from '../support/local-store.ts';
import { numberedObject } from '../support/numbered-objects.ts';
import { makeObject } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

const OUTPUT = '00000000000000000000000000000000-x';

interface Fixture {
  readonly dir: string;
  readonly realPath: string;
  readonly staged: StagedPath;
}

async function fixture(resources: AsyncDisposableStack, object = numberedObject(0)): Promise<Fixture> {
  const dir = await temporaryDirectory(resources);
  mkdirSync(join(dir, 'staging'));
  const [staged] = stage({ dir: join(dir, 'staging'), [Symbol.asyncDispose]: async () => {} }, object);
  return { dir, realPath: join(dir, object.info.path), staged: staged! };
}

describe('a staged path', () => {
  test('is moved in as it is: read-only, of 1970', async () => {
    await using resources = new AsyncDisposableStack();
    const { realPath, staged } = await fixture(resources);
    assert.equal(moveIn(staged, DEFAULT_STORE_DIR, realPath).leftover, undefined);
    const { mode, mtimeMs } = lstatSync(realPath);
    assert.deepEqual([mode & 0o7777, mtimeMs], [0o555, 1_000]);
    assert.equal(existsSync(staged.location), false);
  });

  for (const [what, make] of [
    ['a file', (path: string) => writeFileSync(path, 'old')],
    ['a directory with something in it', (path: string) => mkdirSync(join(path, 'old'), { recursive: true })],
  ] as const) {
    test(`takes the place of ${what}, which goes to the staging directory`, async () => {
      await using resources = new AsyncDisposableStack();
      const { dir, realPath, staged } = await fixture(resources);
      make(realPath);
      const { leftover } = moveIn(staged, DEFAULT_STORE_DIR, realPath);
      assert.ok(leftover?.startsWith(join(dir, 'staging/')));
      assert.ok(existsSync(leftover!));
      assert.deepEqual(readdirSync(realPath), ['inner']);
    });
  }

  test('can be moved back', async () => {
    await using resources = new AsyncDisposableStack();
    const { realPath, staged } = await fixture(resources);
    const moved = moveIn(staged, DEFAULT_STORE_DIR, realPath);
    moveBack(moved);
    assert.equal(existsSync(realPath), false);
    assert.deepEqual(readdirSync(staged.location), ['inner']);
    moveBack(moved); // nothing there: no error
  });

  for (const [change, message] of [
    [{ path: '../escaped' as StorePath }, /invalid store path/],
    [{ path: 'short-x' as StorePath }, /invalid store path/],
    [{ narHash: hashBytes('sha512', '') }, /is sha512, wanted sha256/],
    [{ contentAddress: numberedObject(1).info.contentAddress }, /is not the one of its content address/],
  ] as const) {
    test(`is refused with ${Object.keys(change)} that no path may have: ${message.source}`, () => {
      const { info } = numberedObject(0);
      checkStaged({ info, location: '/x' }, DEFAULT_STORE_DIR);
      assert.throws(() => checkStaged({ info: { ...info, ...change }, location: '/x' }, DEFAULT_STORE_DIR), {
        message,
      });
    });
  }

  test('has outputs where it is a derivation', async () => {
    await using resources = new AsyncDisposableStack();
    const text = `Derive([("out","/nix/store/${OUTPUT}","","")],[],[],"x","y",[],[])`;
    const { realPath, staged } = await fixture(resources, makeObject('x.drv', file(text)));
    const { outputs } = moveIn(staged, DEFAULT_STORE_DIR, realPath);
    assert.deepEqual(outputs, [{ name: 'out', path: OUTPUT }]);
    assert.equal(readFileSync(realPath, 'latin1'), text);
  });

  for (const [contents, why] of [
    [file('no derivation'), 'text of another kind'],
    [file('Derive([("out","/elsewhere/x","","")],[]'), 'an output outside the store'],
    [directory({}), 'a directory'],
  ] as const) {
    test(`stays where it is when its name is that of a derivation, and it is ${why}`, async () => {
      await using resources = new AsyncDisposableStack();
      const { realPath, staged } = await fixture(resources, makeObject('x.drv', contents));
      assert.throws(() => moveIn(staged, DEFAULT_STORE_DIR, realPath));
      assert.deepEqual([existsSync(realPath), existsSync(staged.location)], [false, true]);
    });
  }
});
