import assert from 'node:assert/strict';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { InodeSet, makeInodeSet } from '../../../src/stores/optimise/inode-set.ts';
import { LinkNamer, linkNameOfSymlink } from '../../../src/stores/optimise/link-name.ts';
import { Links, type ShareOutcome } from '../../../src/stores/optimise/links.ts';
import { WritableDirectory } from '../../../src/stores/optimise/writable-directory.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

let resources: AsyncDisposableStack;
let store: string;
let messages: string[];
const namer = new LinkNamer();

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  store = await temporaryDirectory(resources);
  mkdirSync(join(store, '.links'));
  messages = [];
});
afterEach(() => resources.disposeAsync());

function put(name: string, contents: string): string {
  const path = join(store, name);
  writeFileSync(path, contents, { mode: 0o444 });
  utimesSync(path, 1, 1);
  return path;
}

const inode = (path: string): number => lstatSync(path).ino;
const nameOf = (path: string): string => namer.read(path, false, lstatSync(path).size);
const linkOf = (path: string): string => join(store, '.links', nameOf(path));

function share(links: Links, path: string, directory?: WritableDirectory): ShareOutcome {
  return links.share(path, lstatSync(path), nameOf(path), directory);
}

function openLinks(older?: InodeSet): Links {
  const links = new Links(store, { onMessage: (message) => messages.push(message), older });
  return resources.use(links);
}

const noneOlder = (): InodeSet => new InodeSet(makeInodeSet([]));

describe('links', () => {
  for (const [how, older] of [
    ['while all links are suspected', () => undefined],
    ['while none is', noneOlder],
  ] as const) {
    test(`the first file becomes the link, others are replaced by it, ${how}`, () => {
      const links = openLinks(older());
      const [a, b, other] = [put('a', 'same'), put('b', 'same'), put('c', 'other')];
      assert.deepEqual(
        [a, b, b, other, a].map((path) => share(links, path)),
        ['first', 'replaced', 'linked', 'first', 'linked'],
      );
      assert.equal(inode(a), inode(b));
      assert.equal(lstatSync(a).nlink, 3);
      assert.equal(readFileSync(b, 'utf8'), 'same');
    });
  }

  test('nothing but files and .links is left', () => {
    {
      using links = new Links(store);
      for (const name of ['a', 'b', 'c']) share(links, put(name, 'same'));
    }
    assert.deepEqual(readdirSync(store).sort(), ['.links', 'a', 'b', 'c']);
  });

  test('a symlink is shared as a file is', { skip: process.platform !== 'linux' && 'link(2) follows symlinks' }, () => {
    const links = openLinks();
    const paths = ['a', 'b'].map((name) => join(store, name));
    for (const path of paths) symlinkSync('target', path);
    const outcomes = paths.map((path) => links.share(path, lstatSync(path), linkNameOfSymlink('target')));
    assert.deepEqual(outcomes, ['first', 'replaced']);
    assert.equal(inode(paths[0]!), inode(paths[1]!));
  });

  const DAMAGES = [
    ['is of another size', 'longer than before'],
    ['has other contents of the same size', 'evil'],
  ] as const;
  for (const [what, contents] of DAMAGES) {
    test(`a link that ${what} is removed, and a good file takes its place`, () => {
      const good = put('good', 'same');
      const link = linkOf(good);
      writeFileSync(link, contents, { mode: 0o444 });
      const links = openLinks(new InodeSet(makeInodeSet([inode(link)])));
      assert.equal(share(links, good), 'first');
      assert.match(messages.join(), /removing corrupted link/);
      assert.equal(readFileSync(link, 'utf8'), 'same');
      assert.equal(share(links, put('b', 'same')), 'replaced');
    });
  }

  test('a link that somebody deletes after it was seen is made again', () => {
    const links = openLinks(noneOlder());
    const a = put('a', 'same');
    share(links, a);
    rmSync(linkOf(a));
    const b = put('b', 'same');
    assert.equal(share(links, b), 'first');
    assert.equal(inode(b), inode(linkOf(b)));
  });

  test('a name that a rename has left behind is used again', () => {
    const links = openLinks();
    const [a, b] = [put('a', 'same'), put('b', 'same')];
    share(links, a);
    const seen = lstatSync(b);
    // Another process does the same in between: b is a link by now, but looked at before.
    rmSync(b);
    linkSync(a, b);
    assert.equal(links.share(b, seen, nameOf(b)), 'kept');
    assert.equal(share(links, put('c', 'same')), 'replaced');
    assert.deepEqual(readdirSync(store).sort(), ['.links', 'a', 'b', 'c']);
  });

  test('a file that is exchanged after it was read stays', () => {
    const links = openLinks();
    share(links, put('a', 'same'));
    const b = put('b', 'same');
    const seen = lstatSync(b);
    const repaired = put('repaired', 'well!');
    rmSync(b);
    linkSync(repaired, b);
    assert.equal(links.share(b, seen, nameOf(join(store, 'a'))), 'kept');
    assert.equal(readFileSync(b, 'utf8'), 'well!');
  });

  test('a directory looks untouched when a file in it has been replaced', () => {
    const links = openLinks();
    share(links, put('a', 'same'));
    const dir = join(store, 'dir');
    mkdirSync(dir);
    const b = put('dir/b', 'same');
    chmodSync(dir, 0o555);
    utimesSync(dir, 1, 1);
    {
      using directory = new WritableDirectory(dir);
      assert.equal(share(links, b, directory), 'replaced');
    }
    const { mode, mtimeMs } = lstatSync(dir);
    assert.deepEqual([mode & 0o777, mtimeMs], [0o555, 1000]);
  });

  test('a new file is made out of a link only where there is a good one', () => {
    const links = openLinks();
    const a = put('a', 'same');
    const b = join(store, 'b');
    assert.equal(links.linkTo(b, nameOf(a), 4), false);
    share(links, a);
    assert.equal(links.linkTo(b, nameOf(a), 4), true);
    assert.equal(inode(a), inode(b));
    const other = put('other', 'else');
    writeFileSync(linkOf(other), 'evil');
    assert.equal(links.linkTo(join(store, 'c'), nameOf(other), 4), false);
    assert.deepEqual(readdirSync(store).sort(), ['.links', 'a', 'b', 'other']);
  });

  test('without .links nothing is lost', () => {
    const links = openLinks();
    const a = put('a', 'same');
    rmSync(join(store, '.links'), { recursive: true });
    assert.throws(() => share(links, a), { code: 'ENOENT' });
    assert.equal(readFileSync(a, 'utf8'), 'same');
  });
});
