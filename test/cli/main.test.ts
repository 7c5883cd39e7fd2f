/** The command line as a process: streams, signals, exit codes. What it prints is tested elsewhere. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { serveCache } from '../support/http-cache.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { MAIN, sluice } from '../support/run.ts';
import { smallCache } from '../support/small-cache.ts';

function start(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

test('the version is that of package.json', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  assert.deepEqual(await sluice(['--version']), { code: 0, stdout: `sluice ${version}\n`, stderr: '' });
});

test('the standard input is read, results go to the standard output, errors do not', async () => {
  const { stdout } = await sluice(['key', 'generate', 'test-1']);
  const { stdout: publicKey, code } = await sluice(['key', 'public'], { input: stdout });
  assert.match(publicKey, /^test-1:/);
  assert.equal(code, 0);
  const failed = await sluice(['key', 'public'], { input: 'x' });
  assert.deepEqual([failed.code, failed.stdout], [1, '']);
  assert.match(failed.stderr, /^error: /);
});

test('who reads no further ends it quietly', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  await writeFile(join(dir, 'big'), Buffer.alloc(4 * 1024 * 1024));
  using child = start('nar', 'dump', join(dir, 'big'));
  const closed = once(child, 'close');
  const errors = text(child.stderr!);
  await once(child.stdout!, 'data');
  child.stdout!.destroy();
  assert.deepEqual([await errors, (await closed)[0]], ['', 141]);
});

test('an interrupt stops transfers, leaves nothing half done, and ends with 130', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  const cache = await smallCache(join(dir, 'cache'));
  const reached = Promise.withResolvers<void>();
  const server = resources.use(
    await serveCache(cache.dir, (name) => {
      if (!name.startsWith('nar/')) return undefined;
      reached.resolve();
      return { after: new Promise(() => {}) };
    }),
  );
  using child = start('realise', '--store', join(dir, 'store'), '--from', server.url, cache.paths[2]);
  const closed = once(child, 'close');
  const errors = text(child.stderr!);
  await reached.promise;
  child.kill('SIGINT');
  const [code] = await closed;
  assert.equal(code, 130);
  assert.match(await errors, /\ninterrupted, cleaning up \(again to stop at once\)\n$/);
  assert.deepEqual(
    (await readdir(join(dir, 'store/nix/store'))).filter((name) => !name.startsWith('.')),
    [],
  );
});
