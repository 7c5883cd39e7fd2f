import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import { findPermanentRoots } from '../../../src/stores/gc/find-roots.ts';
import { findRuntimeRoots } from '../../../src/stores/gc/runtime-roots.ts';
import { full, pathOf } from '../../support/gc-store.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

const PATH = pathOf('wanted');

function link(file: string, target: string): void {
  mkdirSync(dirname(file), { recursive: true });
  symlinkSync(target, file);
}

describe('permanent roots', () => {
  for (const [name, make, from] of [
    ['a symlink into the store', (dir: string) => link(`${dir}/gcroots/a`, full(PATH)), 'gcroots/a'],
    ['one to something in a path', (dir: string) => link(`${dir}/gcroots/a`, `${full(PATH)}/bin/x`), 'gcroots/a'],
    ['one deeper', (dir: string) => link(`${dir}/gcroots/b/c/a`, full(PATH)), 'gcroots/b/c/a'],
    ['a profile', (dir: string) => link(`${dir}/profiles/p-1-link`, full(PATH)), 'profiles/p-1-link'],
    [
      'a file that is named as the path',
      (dir: string) => writeFileSync(`${dir}/gcroots/${PATH}`, ''),
      `gcroots/${PATH}`,
    ],
    [
      'a symlink to a symlink, which is told as the root',
      (dir: string) => {
        link(`${dir}/home/result`, full(PATH));
        link(`${dir}/gcroots/auto/x`, `${dir}/home/result`);
      },
      'home/result',
    ],
    [
      'a relative symlink to a symlink',
      (dir: string) => {
        link(`${dir}/home/result`, full(PATH));
        link(`${dir}/gcroots/x`, '../home/result');
      },
      'home/result',
    ],
  ] as const) {
    test(`${name} is a root`, async () => {
      await using resources = new AsyncDisposableStack();
      const dir = await temporaryDirectory(resources);
      mkdirSync(join(dir, 'gcroots'));
      mkdirSync(join(dir, 'profiles'));
      make(dir);
      const { roots, messages } = findPermanentRoots(dir, DEFAULT_STORE_DIR);
      assert.deepEqual(roots, [{ from: join(dir, from), path: PATH }]);
      assert.deepEqual(messages, []);
    });
  }

  test('what leads nowhere is none, and goes if it is in auto', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'profiles'));
    const [stale, kept] = [join(dir, 'gcroots/auto/x'), join(dir, 'gcroots/y')];
    link(stale, join(dir, 'gone'));
    link(kept, join(dir, 'gone'));
    link(join(dir, 'gcroots/not-a-path'), '/nix/store/short');
    link(join(dir, 'gcroots/elsewhere'), '/nix/store-of-others/x');
    link(join(dir, 'gcroots/store'), '/nix/store');
    link(join(dir, 'gcroots/to-a-directory'), dir);
    const { roots, messages } = findPermanentRoots(dir, DEFAULT_STORE_DIR);
    assert.deepEqual(roots, []);
    assert.deepEqual(messages, [`removing stale link from '${stale}' to '${join(dir, 'gone')}'`]);
    assert.equal(lstatSync(stale, { throwIfNoEntry: false }), undefined);
    assert.ok(lstatSync(kept).isSymbolicLink());
  });

  test('without a directory of roots there is none', async () => {
    await using resources = new AsyncDisposableStack();
    const { roots, messages } = findPermanentRoots(await temporaryDirectory(resources), DEFAULT_STORE_DIR);
    assert.deepEqual(roots, []);
    assert.equal(messages.length, 2);
  });
});

describe('runtime roots', () => {
  /** A process in a made-up /proc. */
  async function makeProc(resources: AsyncDisposableStack): Promise<{ proc: string; dir: string }> {
    const proc = await temporaryDirectory(resources);
    const dir = join(proc, '42');
    mkdirSync(join(dir, 'fd'), { recursive: true });
    return { proc, dir };
  }

  for (const [file, make] of [
    ['exe', (at: string) => link(at, `${full(PATH)}/bin/x`)],
    ['cwd', (at: string) => link(at, full(PATH))],
    ['root', (at: string) => link(at, full(PATH))],
    ['fd/3', (at: string) => link(at, `${full(PATH)}/data`)],
    [
      'maps',
      (at: string) =>
        writeFileSync(
          at,
          `7f00-7f01 r-xp 00000000 08:01 5 [vdso]\n7f00-7f01 r-xp 0 08:01 5   ${full(PATH)}/lib/l.so\n`,
        ),
    ],
    ['environ', (at: string) => writeFileSync(at, `A=b\0PATH=/bin:${full(PATH)}/bin:/usr\0`)],
  ] as const) {
    test(`${file} of a process keeps a path`, async () => {
      await using resources = new AsyncDisposableStack();
      const { proc, dir } = await makeProc(resources);
      make(join(dir, file));
      assert.deepEqual(findRuntimeRoots(DEFAULT_STORE_DIR, proc), [{ from: join(dir, file), path: PATH }]);
    });
  }

  test('programs that the kernel starts keep theirs', async () => {
    await using resources = new AsyncDisposableStack();
    const { proc } = await makeProc(resources);
    mkdirSync(join(proc, 'sys/kernel'), { recursive: true });
    writeFileSync(join(proc, 'sys/kernel/modprobe'), `${full(PATH)}/bin/modprobe\n`);
    assert.deepEqual(
      findRuntimeRoots(DEFAULT_STORE_DIR, proc).map(({ path }) => path),
      [PATH],
    );
  });

  test('without /proc there are none, and files that cannot be read keep nothing', async () => {
    await using resources = new AsyncDisposableStack();
    const { proc } = await makeProc(resources);
    assert.deepEqual(findRuntimeRoots(DEFAULT_STORE_DIR, proc), []);
    assert.deepEqual(findRuntimeRoots(DEFAULT_STORE_DIR, join(proc, 'none')), []);
  });
});
