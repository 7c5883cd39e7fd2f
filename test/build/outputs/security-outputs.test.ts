import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hashPart } from '../../../src/formats/store-path.ts';
import { BuiltOutputs, failsWith, inventedPath } from '../../support/built-outputs.ts';
import { needs } from '../../support/run.ts';

const notRoot = process.getuid?.() === 0 ? false : 'only root can give files away';
/** `nobody`: anybody but who runs the tests. */
const BUILD_UID = 65_534;

describe('hostile outputs', () => {
  const KINDS = [
    ['named pipe', (path: string) => void execFileSync('mkfifo', [path])],
    ['character device', (path: string) => void execFileSync('mknod', [path, 'c', '1', '3'])],
    ['block device', (path: string) => void execFileSync('mknod', [path, 'b', '7', '99'])],
  ] as const;
  for (const [kind, make] of KINDS) {
    for (const where of ['', 'dir/file']) {
      const skip = kind === 'named pipe' ? false : notRoot;
      test(`a ${kind} ${where === '' ? 'as an output' : 'in one'} is refused by name`, { skip }, async () => {
        await using resources = new AsyncDisposableStack();
        const built = await BuiltOutputs.open(resources);
        if (where !== '') mkdirSync(join(built.location(), 'dir'), { recursive: true });
        make(join(built.location(), where));
        const named = where === '' ? 'test' : `test/${where}`;
        await assert.rejects(
          built.finish(),
          failsWith('outputRejected', new RegExp(`^'/nix/store/[^/]*-${named}' is a ${kind}: a store has only`)),
        );
      });
    }
  }

  test('a socket is refused', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    await using server = createServer();
    await new Promise<void>((resolve) => server.listen(built.location(), resolve));
    await assert.rejects(built.finish(), failsWith('outputRejected', /is a socket/));
  });

  for (const mode of [0o775, 0o757, 0o777]) {
    test(`an output that others may write to is refused (${mode.toString(8)})`, async () => {
      await using resources = new AsyncDisposableStack();
      const built = await BuiltOutputs.open(resources);
      mkdirSync(built.location());
      chmodSync(built.location(), mode);
      await assert.rejects(built.finish(), failsWith('outputRejected', /suspicious ownership or permission/));
    });
  }

  test('an output of somebody else than the build user is refused', { skip: notRoot }, async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    writeFileSync(built.location(), 'text');
    await assert.rejects(
      built.finish({ input: { buildUid: BUILD_UID } }),
      failsWith('outputRejected', /suspicious ownership or permission .* does not belong to the build user/),
    );
    assert.equal(lstatSync(built.location()).mode & 0o777, 0o644);
  });

  test('files of the build user become those of the owner of the store', { skip: notRoot }, async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources, 'out', 'link');
    const out = built.location();
    mkdirSync(out);
    writeFileSync(join(out, 'a'), 'text', { mode: 0o600 });
    chmodSync(join(out, 'a'), 0o4711);
    linkSync(join(out, 'a'), join(out, 'b'));
    symlinkSync('/etc/shadow', join(out, 'c'));
    linkSync(join(out, 'a'), built.location('link'));
    for (const path of [out, join(out, 'a'), join(out, 'c')]) lchownSync(path, BUILD_UID, BUILD_UID);
    await built.finish({
      input: { buildUid: BUILD_UID },
      // The second output is no longer the build user's, as it is a file of the first.
      request: { outputs: [{ name: 'out', path: built.path() }] },
    });
    for (const name of ['', 'a', 'b', 'c']) {
      const { uid, gid, mtimeMs } = lstatSync(join(out, name));
      assert.deepEqual([uid, gid, mtimeMs], [0, 0, 1000], name);
    }
    assert.equal(lstatSync(join(out, 'a')).mode & 0o7777, 0o555);
    assert.notEqual(lstatSync('/etc/shadow').mtimeMs, 1000);
  });

  for (const rewrites of [new Map(), new Map([[hashPart(inventedPath('a')), hashPart(inventedPath('b'))]])]) {
    const how = rewrites.size > 0 ? ', also where it would be copied' : '';
    test(`a link to a file of somebody else is refused, and the file left alone${how}`, { skip: notRoot }, async () => {
      await using resources = new AsyncDisposableStack();
      const built = await BuiltOutputs.open(resources);
      const secret = join(built.dir, 'secret');
      writeFileSync(secret, 'secret', { mode: 0o600 });
      mkdirSync(built.location());
      linkSync(secret, join(built.location(), 'file'));
      chownSync(built.location(), BUILD_UID, BUILD_UID);
      await assert.rejects(
        built.finish({ input: { buildUid: BUILD_UID, rewrites } }),
        failsWith('outputRejected', /test\/file' does not belong to the build user: it may be a link/),
      );
      const { uid, mode } = lstatSync(secret);
      assert.deepEqual([uid, mode & 0o777, readFileSync(secret, 'utf8')], [0, 0o600, 'secret']);
    });
  }

  test('a file in a directory of somebody else is refused', { skip: notRoot }, async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    mkdirSync(join(built.location(), 'dir'), { recursive: true });
    chownSync(built.location(), BUILD_UID, BUILD_UID);
    await assert.rejects(
      built.finish({ input: { buildUid: BUILD_UID } }),
      failsWith('outputRejected', /test\/dir' does not belong/),
    );
  });

  const attributes = needs('setfattr', 'getfattr');
  test('extended attributes go, but for those that may stay', attributes, async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    const out = built.location();
    mkdirSync(out);
    writeFileSync(join(out, 'ä'), 'text');
    for (const path of [out, join(out, 'ä')]) {
      execFileSync('setfattr', ['-n', 'user.one', '-v', '1', path]);
      execFileSync('setfattr', ['-n', 'user.two', '-v', '2', path]);
      execFileSync('setfattr', ['-n', 'user.ü', '-v', '3', path]);
    }
    await built.finish({ settings: { ignoredAcls: ['user.two'] } });
    for (const path of [out, join(out, 'ä')]) {
      const listed = execFileSync('getfattr', ['--absolute-names', path], { encoding: 'utf8' });
      assert.deepEqual(listed.match(/user\.\S+/g), ['user.two']);
    }
  });

  test('two names that become one where hash parts are replaced are refused', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    const [from, to] = [inventedPath('a'), inventedPath('b')].map(hashPart) as [string, string];
    mkdirSync(built.location());
    for (const name of [from, to]) writeFileSync(join(built.location(), name), name);
    await assert.rejects(
      built.finish({ input: { rewrites: new Map([[from, to]]) } }),
      failsWith('outputRejected', /would be there twice/),
    );
  });

  test('a tree that is too deep to be named is the fault of its builder', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    const name = 'd'.repeat(250);
    mkdirSync(built.location());
    const script = `for (let depth = 0; depth < 20; depth++) { fs.mkdirSync('${name}'); process.chdir('${name}'); }`;
    execFileSync(process.execPath, ['-e', script], { cwd: built.location() });
    resources.defer(() => void execFileSync('rm', ['-rf', built.location()]));
    await assert.rejects(built.finish(), failsWith('outputRejected', /cannot be read: ENAMETOOLONG/));
  });

  test('files that nobody may read are read', async () => {
    await using resources = new AsyncDisposableStack();
    const built = await BuiltOutputs.open(resources);
    mkdirSync(built.location());
    writeFileSync(join(built.location(), 'file'), 'text');
    chmodSync(join(built.location(), 'file'), 0);
    chmodSync(built.location(), 0);
    await built.finish();
    assert.equal(lstatSync(join(built.location(), 'file')).mode & 0o777, 0o444);
  });
});
