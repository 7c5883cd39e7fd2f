/** Unpacking with `auto-optimise-store`. */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { dumpNar, NarRestorer } from '../../../src/stores/nar-fs.ts';
import { Links } from '../../../src/stores/optimise/links.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { anyTree, directory, file, narOf, type Tree } from '../../support/trees.ts';

let resources: AsyncDisposableStack;
let store: string;
let links: Links;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  store = await temporaryDirectory(resources);
  mkdirSync(join(store, '.links'));
  links = resources.use(new Links(store));
});
afterEach(() => resources.disposeAsync());

function unpack(name: string, tree: Tree, chunk = 10_000): string {
  const destination = join(store, name);
  using restorer = new NarRestorer(destination, links);
  const nar = narOf(tree);
  for (let start = 0; start < nar.length; start += chunk) restorer.push(nar.subarray(start, start + chunk));
  restorer.finish();
  return destination;
}

async function narAt(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await dumpNar(path, (chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks);
}

const SIZES = [0, 1, 4096, 65_536, 65_537, 500_000];

describe('unpacking into a store that is optimised', () => {
  for (const size of SIZES) {
    test(`files of ${size} bytes become one, with mode and time of a store`, () => {
      const contents = 'x'.repeat(size);
      const dir = unpack('tree', directory({ a: file(contents), b: file(contents), c: file(contents, true) }));
      const again = unpack('again', file(contents));
      const [a, b, c, other] = [join(dir, 'a'), join(dir, 'b'), join(dir, 'c'), again].map((path) => lstatSync(path));
      assert.deepEqual([b!.ino, other!.ino], [a!.ino, a!.ino]);
      assert.notEqual(c!.ino, a!.ino);
      assert.deepEqual([a!.mode & 0o777, c!.mode & 0o777, a!.mtimeMs, c!.mtimeMs], [0o444, 0o555, 1000, 1000]);
      assert.equal(lstatSync(dir).mtimeMs, 1000);
      assert.equal(readFileSync(join(dir, 'b'), 'utf8'), contents);
    });
  }

  test('gives what unpacking gives, for any tree and any chunks', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(anyTree, fc.integer({ min: 1, max: 300 }), async (tree, chunk) => {
        assert.deepEqual(await narAt(unpack(`tree-${count++}`, tree, chunk)), narOf(tree));
      }),
      { numRuns: 60 },
    );
    const left = readdirSync(store).filter((name) => !name.startsWith('tree-'));
    assert.deepEqual(left, ['.links']);
  });

  for (const size of [4, 100_000]) {
    test(`a link of ${size} bytes that has rotted is not used`, () => {
      const good = 'good'.repeat(size / 4);
      unpack('first', file(good));
      const [name] = readdirSync(join(store, '.links'));
      writeFileSync(join(store, '.links', name!), 'evil'.repeat(size / 4));
      links = resources.use(new Links(store)); // of another process, which has not seen it before
      assert.equal(readFileSync(unpack('second', file(good)), 'utf8'), good);
    });
  }

  test('where there is no .links, files are unpacked all the same', () => {
    links = resources.use(new Links(join(store, 'nowhere')));
    assert.equal(readFileSync(unpack('a', file('contents')), 'utf8'), 'contents');
    assert.equal(readFileSync(unpack('b', file('x'.repeat(100_000))), 'utf8').length, 100_000);
  });
});
