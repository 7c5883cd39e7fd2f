import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BUILTINS } from '../../../src/build/builtins/builtins.ts';
import { StoreError } from '../../../src/errors.ts';
import { failsWith } from '../../support/built-outputs.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { builtinContext } from '../../support/run-builtin.ts';

/** What is made is compared with stock Nix in test/interop. */
async function unpack(dir: string, channelName: string, src = '/nix/store/x.tar'): Promise<string> {
  const out = join(dir, 'out');
  const env = new Map(Object.entries({ channelName, src }));
  const context = builtinContext({ builder: 'builtin:unpack-channel', env }, out);
  await BUILTINS['unpack-channel']!({ ...context, realPath: (path) => path.replace('/nix/store', dir) });
  return out;
}

describe('builtin:unpack-channel', () => {
  test('gives the one directory of a tarball the name of the channel', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'one'));
    writeFileSync(join(dir, 'one/file'), 'text');
    execFileSync('tar', ['-C', dir, '-cf', join(dir, 'x.tar'), 'one']);
    const out = await unpack(dir, 'nixpkgs');
    assert.equal(readFileSync(join(out, 'nixpkgs/file'), 'utf8'), 'text');
  });

  for (const name of ['', '.', '..', 'a/b', '/etc', 'a\0b']) {
    test(`refuses ${JSON.stringify(name)} as the name of a channel`, async () => {
      await using resources = new AsyncDisposableStack();
      const dir = await temporaryDirectory(resources);
      await assert.rejects(unpack(dir, name), failsWith('permanentFailure', /channelName is not allowed/));
    });
  }

  test('says which file is no tarball, or damaged', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    for (const bytes of ['nothing of the kind', Buffer.from('1f8b0000', 'hex'), '']) {
      writeFileSync(join(dir, 'x.tar'), bytes);
      await assert.rejects(unpack(dir, 'x'), failsWith('permanentFailure', /channel tarball '\/nix\/store\/x\.tar'/));
    }
  });

  test('says that there is no such file', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    await assert.rejects(unpack(dir, 'x'), (error) => error instanceof StoreError && /ENOENT/.test(error.message));
  });
});
