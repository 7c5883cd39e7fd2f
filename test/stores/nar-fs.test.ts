import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { chmod, mkdir, mkdtempDisposable, readdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { dumpNar, NarRestorer } from '../../src/stores/nar-fs.ts';
import { nixMissing } from '../support/nix.ts';
import { noOrdinaryUser, ORDINARY_USER, ordinaryUsersDirectory } from '../support/store-process-control.ts';
import { anyTree, directory, file, narOf } from '../support/trees.ts';

const run = promisify(execFile);

function restore(destination: string, nar: Uint8Array): void {
  using restorer = new NarRestorer(destination);
  restorer.push(nar);
  restorer.finish();
}

async function dump(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await dumpNar(path, (chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks);
}

const temporary = (): Promise<{ path: string } & AsyncDisposable> => mkdtempDisposable(join(tmpdir(), 'sluice-test-'));

describe('NARs and the file system', () => {
  test('a tree that was restored is dumped as the same NAR, whatever bytes its names are', async () => {
    await using tmp = await temporary();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(anyTree, async (tree) => {
        const destination = join(tmp.path, `tree ${count++} ä`);
        const nar = narOf(tree);
        restore(destination, nar);
        assert.deepEqual(await dump(destination), nar);
      }),
    );
  });

  test('files end as 0444 or 0555, directories as 0555, and everything at second 1', async () => {
    await using tmp = await temporary();
    const root = join(tmp.path, 'out');
    const tree = directory({
      dir: directory({}),
      exe: file('x', true),
      link: { type: 'symlink', target: 'gone' },
      plain: file('y'),
    });
    restore(root, narOf(tree));
    const seen = ['.', 'dir', 'exe', 'link', 'plain'].map((name) => {
      const { mode, mtimeMs } = lstatSync(join(root, name));
      return [name, (mode & 0o7777).toString(8), mtimeMs];
    });
    assert.deepEqual(seen, [
      ['.', '555', 1000],
      ['dir', '555', 1000],
      ['exe', '555', 1000],
      ['link', '777', 1000],
      ['plain', '444', 1000],
    ]);
  });

  test('modes are canonical under a umask that hides them', async () => {
    await using tmp = await temporary();
    const script = `
      const { NarRestorer } = await import(${JSON.stringify(new URL('../../src/stores/nar-fs.ts', import.meta.url))});
      process.umask(0o077);
      using restorer = new NarRestorer(${JSON.stringify(join(tmp.path, 'out'))});
      restorer.push(Buffer.from('${narOf(directory({ a: file('', true) })).toString('hex')}', 'hex'));
      restorer.finish();`;
    await run(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(lstatSync(join(tmp.path, 'out/a')).mode & 0o777, 0o555);
  });

  test('a file system on which root is nobody special takes a tree all the same', {
    skip: noOrdinaryUser,
  }, async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await ordinaryUsersDirectory(resources);
    const tree = narOf(directory({ a: directory({ b: file('1'), c: directory({}) }) }));
    // What restoring as root has shown is believed to be so for what follows, which it no longer is.
    const script = `
      const { NarRestorer } = await import(${JSON.stringify(new URL('../../src/stores/nar-fs.ts', import.meta.url))});
      for (const name of ['first', 'second']) {
        using restorer = new NarRestorer(${JSON.stringify(dir)} + '/' + name);
        restorer.push(Buffer.from('${tree.toString('hex')}', 'hex'));
        restorer.finish();
        process.seteuid(${ORDINARY_USER});
      }`;
    await run(process.execPath, ['--input-type=module', '-e', script]);
    for (const name of ['first', 'second']) {
      const modes = ['.', 'a', 'a/b', 'a/c'].map((each) => lstatSync(join(dir, name, each)).mode & 0o777);
      assert.deepEqual(modes, [0o555, 0o555, 0o444, 0o555], name);
      assert.equal(lstatSync(join(dir, name, 'a')).mtimeMs, 1000);
    }
  });

  test('a file larger than any buffer comes back as it was', async () => {
    await using tmp = await temporary();
    const contents = Buffer.alloc(1_000_003, 'sluice ').toString('latin1');
    restore(join(tmp.path, 'out'), narOf(file(contents)));
    assert.deepEqual(await dump(join(tmp.path, 'out')), narOf(file(contents)));
  });

  test('what exists is never overwritten or followed', async () => {
    await using tmp = await temporary();
    await symlink('/nonexistent/elsewhere', join(tmp.path, 'link'));
    await writeFile(join(tmp.path, 'file'), 'old');
    for (const name of ['link', 'file']) {
      assert.throws(() => restore(join(tmp.path, name), narOf(file('new'))), { code: 'ERR_STORE', message: /EEXIST/ });
    }
  });

  test('a broken NAR closes the file that it left open', async () => {
    await using tmp = await temporary();
    const descriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
    const before = await descriptors();
    for (let round = 0; round < 10; round++) {
      const nar = narOf(file('some contents here')).subarray(0, 110);
      assert.throws(() => restore(join(tmp.path, `out-${round}`), nar), { code: 'ERR_FORMAT' });
    }
    assert.equal(await descriptors(), before);
  });

  test('sockets cannot be dumped', async () => {
    await using tmp = await temporary();
    const path = join(tmp.path, 'socket');
    await using server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await assert.rejects(dump(path), { code: 'ERR_STORE', message: /neither file, directory nor symlink/ });
  });

  test('a file that shrinks while it is dumped is an error', async () => {
    await using tmp = await temporary();
    const path = join(tmp.path, 'file');
    await writeFile(path, Buffer.alloc(1_000_000));
    const shrunk = dumpNar(path, () => truncate(path, 10));
    await assert.rejects(shrunk, { code: 'ERR_STORE', message: /became shorter/ });
  });

  test('nix-store reads what is dumped here, and dumps the same', { skip: nixMissing }, async () => {
    await using tmp = await temporary();
    const source = join(tmp.path, 'source');
    await mkdir(join(source, 'bin'), { recursive: true });
    await writeFile(join(source, 'bin/run'), '#!/bin/sh\n');
    await chmod(join(source, 'bin/run'), 0o755);
    await writeFile(join(source, 'Zebra'), 'z');
    await writeFile(join(source, 'äpfel'), 'a');
    await symlink('bin/run', join(source, 'run'));
    const { stdout } = await run('nix-store', ['--dump', source], { encoding: 'buffer' });
    assert.deepEqual(await dump(source), stdout);
    restore(join(tmp.path, 'again'), stdout);
    const again = await run('nix-store', ['--dump', join(tmp.path, 'again')], { encoding: 'buffer' });
    assert.deepEqual(again.stdout, stdout);
  });
});
