import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Header, type HeaderData } from 'tar/header';
import { Pax } from 'tar/pax';
import { TarExtractor } from '../../../src/build/builtins/tar-extractor.ts';
import { FormatError } from '../../../src/errors.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

const BLOCK = 512;
const END = Buffer.alloc(2 * BLOCK);

interface Entry {
  readonly path: string;
  readonly type?: NonNullable<HeaderData['type']>;
  readonly linkpath?: string;
  readonly contents?: string;
  readonly mode?: number;
}

function tarball(...entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.map(encode), END]);
}

function encode({ path, type = 'File', linkpath, contents = '', mode = 0o644 }: Entry): Buffer {
  const header = new Header({ path, type, size: contents.length, mode, ...(linkpath !== undefined && { linkpath }) });
  header.encode();
  const padding = Buffer.alloc((BLOCK - (contents.length % BLOCK)) % BLOCK);
  return Buffer.concat([header.block!, Buffer.from(contents), padding]);
}

const LIMITS = { bytes: 1_000_000, entries: 100 };

/** Unpacks into `DIR/out`, some bytes at a time. */
async function extract(resources: AsyncDisposableStack, bytes: Uint8Array, limits = LIMITS): Promise<string> {
  const dir = await temporaryDirectory(resources);
  const out = join(dir, 'out');
  mkdirSync(out);
  using extractor = new TarExtractor(out, limits);
  for (let start = 0; start < bytes.length; start += 700) extractor.push(bytes.subarray(start, start + 700));
  extractor.finish();
  return out;
}

const file = (path: string, contents = 'text'): Entry => ({ path, contents });
const link = (path: string, linkpath: string): Entry => ({ path, linkpath, type: 'SymbolicLink' });
const hard = (path: string, linkpath: string): Entry => ({ path, linkpath, type: 'Link' });

describe('hostile tarballs', () => {
  const REFUSED = [
    [[file('../out-of-it')], 'a name that leads up', /leads out/],
    [[file('a/../../out-of-it')], 'a name that leads up from below', /leads out/],
    [[link('a', '..'), file('a/out-of-it')], 'a file through a symlink', /'a' is a directory and something else/],
    [[link('a', '/tmp'), { path: 'a/b', type: 'Directory' }], 'a directory through a symlink', /something else/],
    [[link('a', '.'), link('a/b', 'c')], 'a symlink through a symlink', /something else/],
    [[hard('a', '../secret')], 'a hard link to a file outside', /leads out/],
    [[hard('a', '/etc/passwd')], 'a hard link to a file by its full name', /is in no directory of it|no file of it/],
    [[link('a', '..'), hard('b', 'a/secret')], 'a hard link through a symlink', /is in no directory of it/],
    [[link('a', '/etc/passwd'), hard('b', 'a')], 'a hard link to a symlink', /no file of it/],
    [[file('a'), file('a/b')], 'a file in a file', /something else/],
    [[{ path: 'a', type: 'Directory' }, file('a')], 'a file in place of a directory', /something else/],
    [[{ path: 'a', type: 'CharacterDevice' }], 'a character device', /CharacterDevice/],
    [[{ path: 'a', type: 'BlockDevice' }], 'a block device', /BlockDevice/],
    [[{ path: 'a', type: 'FIFO' }], 'a named pipe', /FIFO/],
    [[file('.')], 'a file as its root', /root/],
  ] as const;
  for (const [entries, what, message] of REFUSED) {
    test(`with ${what} are refused`, async () => {
      await using resources = new AsyncDisposableStack();
      await assert.rejects(
        extract(resources, tarball(...entries)),
        (error) => error instanceof FormatError && message.test(error.message),
      );
    });
  }

  test('with more bytes or entries than may be are refused', async () => {
    await using resources = new AsyncDisposableStack();
    const many = tarball(...Array.from({ length: 10 }, (_, index) => file(String(index), 'x'.repeat(100))));
    await assert.rejects(extract(resources, many, { bytes: 999, entries: 100 }), /more than 999 bytes/);
    await assert.rejects(extract(resources, many, { bytes: 1e6, entries: 9 }), /more than 9 entries/);
  });

  test('with a large extended header are refused before it is in memory', async () => {
    await using resources = new AsyncDisposableStack();
    const block = encode({ path: 'PaxHeader', type: 'ExtendedHeader', contents: 'x'.repeat(2 ** 21) });
    await assert.rejects(
      extract(resources, Buffer.concat([block, encode(file('a')), END])),
      /ExtendedHeader of 2097152/,
    );
  });

  const BROKEN = [
    [Buffer.from('x'.repeat(2000)), 'are no tarball'],
    [tarball(file('a', 'x'.repeat(5000))).subarray(0, 2000), 'end early'],
    [Buffer.alloc(0), 'are empty'],
  ] as const;
  for (const [bytes, what] of BROKEN) {
    test(`that ${what} are refused`, async () => {
      await using resources = new AsyncDisposableStack();
      await assert.rejects(extract(resources, bytes), FormatError);
    });
  }

  test('with full names are unpacked below the destination, as libarchive does it', async () => {
    await using resources = new AsyncDisposableStack();
    const out = await extract(resources, tarball(file('/etc/sluice-test'), file('./b')));
    assert.equal(readFileSync(join(out, 'etc/sluice-test'), 'utf8'), 'text');
    assert.equal(existsSync('/etc/sluice-test'), false);
    assert.deepEqual(readdirSync(out).sort(), ['b', 'etc']);
  });

  test('with symlinks to anywhere have them, and nobody follows them', async () => {
    await using resources = new AsyncDisposableStack();
    const out = await extract(resources, tarball(link('a', '/etc/passwd'), file('a', 'mine')));
    assert.equal(readFileSync(join(out, 'a'), 'utf8'), 'mine');
    assert.ok(lstatSync(join(out, 'a')).isFile());
    const other = await extract(resources, tarball(link('a', '../../x')));
    assert.equal(readlinkSync(join(other, 'a')), '../../x');
  });

  test('do not write through a symlink that is in the destination', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'out'));
    symlinkSync('..', join(dir, 'out/a'));
    using extractor = new TarExtractor(join(dir, 'out'), LIMITS);
    assert.throws(() => extractor.push(tarball(file('a/b'))), FormatError);
    assert.deepEqual(readdirSync(dir), ['out']);
  });

  test('with setuid files have ordinary ones', async () => {
    await using resources = new AsyncDisposableStack();
    const out = await extract(resources, tarball({ path: 'a', contents: 'x', mode: 0o6755 }));
    assert.equal(lstatSync(join(out, 'a')).mode & 0o7000, 0);
  });

  test('with long names in extended headers have them', async () => {
    await using resources = new AsyncDisposableStack();
    const path = `${'d/'.repeat(60)}${'n'.repeat(200)}ä`;
    const pax = new Pax({ path }).encode() as Buffer;
    const out = await extract(resources, Buffer.concat([pax, encode(file('short')), END]));
    assert.equal(readFileSync(join(out, path), 'utf8'), 'text');
  });
});
