import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Header } from 'tar/header';
import { Parser } from 'tar/parse';
import { TAR_END, type TarEntry, tarHeader, tarPadding } from '../../src/formats/tar-entry.ts';

interface Read {
  readonly path: string;
  readonly type: string;
  readonly mode: number | undefined;
  readonly size: number;
  readonly linkpath: string | undefined;
}

/** As the library reads it, which is not the code that is tested. */
async function read(...bytes: readonly Uint8Array[]): Promise<Read[]> {
  const entries: Read[] = [];
  const parser = new Parser({ strict: true });
  parser.on('entry', (entry) => {
    const { path, type, mode, size, linkpath, mtime, uid, gid } = entry;
    assert.deepEqual([mtime?.getTime(), uid, gid], [1000, 0, 0]);
    entries.push({ path, type, mode, size, linkpath });
    entry.resume();
  });
  const ended = new Promise((resolve, reject) => parser.on('end', resolve).on('error', reject));
  parser.end(Buffer.concat([...bytes, TAR_END]));
  await ended;
  return entries;
}

function regular(path: string, size = 0): TarEntry {
  return { path, type: 'regular', executable: false, size };
}

const byteString = (text: string): string => Buffer.from(text).toString('latin1');

describe('an entry of a tarball', () => {
  test('has the modes of a store', async () => {
    const entries = await read(
      tarHeader({ path: 'd', type: 'directory' }),
      tarHeader(regular('d/f')),
      tarHeader({ path: 'd/x', type: 'regular', executable: true, size: 0 }),
      tarHeader({ path: 'd/l', type: 'symlink', target: '../f' }),
    );
    assert.deepEqual(entries, [
      { path: 'd/', type: 'Directory', mode: 0o555, size: 0, linkpath: undefined },
      { path: 'd/f', type: 'File', mode: 0o444, size: 0, linkpath: undefined },
      { path: 'd/x', type: 'File', mode: 0o555, size: 0, linkpath: undefined },
      { path: 'd/l', type: 'SymbolicLink', mode: 0o777, size: 0, linkpath: '../f' },
    ]);
  });

  test('takes one block where that has room', () => {
    assert.equal(tarHeader(regular(`${'d'.repeat(100)}/${'f'.repeat(100)}`)).length, 512);
  });

  for (const [what, path] of [
    ['a long name', 'n'.repeat(255)],
    ['a long path', Array.from({ length: 40 }, (_, i) => `directory-${i}`).join('/')],
    ['a name in UTF-8', 'ümläut-日本'],
    ['a long name in UTF-8', 'ü'.repeat(127)],
    ['a line break', 'a\nb'],
  ] as const) {
    test(`has room for ${what}`, async () => {
      const entries = await read(
        tarHeader(regular(byteString(path))),
        tarHeader({ path: 'l', type: 'symlink', target: byteString(path) }),
      );
      assert.equal(entries[0]?.path, path);
      assert.equal(entries[1]?.linkpath, path);
    });
  }

  test('keeps bytes that are no UTF-8', () => {
    const bytes = Buffer.from(tarHeader({ path: 'a\xff', type: 'symlink', target: 'b\xfe/c' }));
    assert.ok(bytes.includes(' path=a\xff\n', 0, 'latin1'));
    assert.ok(bytes.includes(' linkpath=b\xfe/c\n', 0, 'latin1'));
    assert.ok(new Header(bytes, 0).cksumValid && new Header(bytes, 1024).cksumValid);
  });

  test('is not deceived by a name that looks like a part of a header', () => {
    const bytes = Buffer.from(tarHeader({ path: 'a linkpath=\xff\n', type: 'symlink', target: '\xff' }));
    assert.ok(bytes.includes(' path=a linkpath=\xff\n\n', 0, 'latin1'));
    assert.equal(bytes.toString('latin1').split(' linkpath=\xff\n').length, 3);
    const other = Buffer.from(tarHeader({ path: 'a linkpath=_\n', type: 'symlink', target: '\xff' }));
    assert.ok(other.includes(' path=a linkpath=_\n\n', 0, 'latin1') && other.includes(' linkpath=\xff\n', 0, 'latin1'));
  });

  test('can be larger than a header can say', () => {
    const bytes = Buffer.from(tarHeader(regular('f', 2 ** 33)));
    assert.equal(new Header(bytes, bytes.length - 512).size, 2 ** 33);
    assert.ok(bytes.includes(` size=${2 ** 33}\n`));
  });

  test('is filled up to whole blocks', () => {
    assert.deepEqual(
      [0, 1, 511, 512, 513].map((size) => tarPadding(size).length),
      [0, 511, 1, 0, 511],
    );
  });
});
