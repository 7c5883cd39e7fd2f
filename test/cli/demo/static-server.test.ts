import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startStaticServer } from '../../../src/cli/demo/static-server.ts';
import { makeScratch } from '../../support/scratch.ts';

test('files of the directory are served whole', async () => {
  await using scratch = await makeScratch();
  await mkdir(join(scratch.path, 'nar'));
  const contents = 'x'.repeat(300_000);
  await writeFile(join(scratch.path, 'nar/abc.nar.zst'), contents);
  await writeFile(join(scratch.path, 'nix-cache-info'), 'StoreDir: /nix/store\n');
  await using server = await startStaticServer(scratch.path);
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const nar = await fetch(`${server.url}/nar/abc.nar.zst`);
  assert.equal(nar.headers.get('content-length'), '300000');
  assert.equal(await nar.text(), contents);
  assert.equal(await (await fetch(`${server.url}/nix-cache-info`)).text(), 'StoreDir: /nix/store\n');
  const head = await fetch(`${server.url}/nix-cache-info`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-length')], [200, '21']);
});

/** As they come over the wire; none may lead to a file. */
const REFUSED = [
  ['/missing', 404, 'what is not there'],
  ['/nar', 404, 'a directory'],
  ['/', 404, 'the directory itself'],
  ['/../secret', 404, 'a way out of the directory'],
  ['/nar/../../secret', 404, 'a way out from further down'],
  ['/%2e%2e/secret', 404, 'an encoded way out'],
  ['/..%2fsecret', 404, 'an encoded slash'],
  ['/.hidden', 404, 'a hidden file'],
] as const;

for (const [target, status, what] of REFUSED) {
  test(`${what} is not served`, async () => {
    await using scratch = await makeScratch();
    await mkdir(join(scratch.path, 'cache/nar'), { recursive: true });
    await writeFile(join(scratch.path, 'secret'), 'secret');
    await writeFile(join(scratch.path, 'cache/.hidden'), 'secret');
    await using server = await startStaticServer(join(scratch.path, 'cache'));
    await using socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const answer = await text(socket);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
    assert.doesNotMatch(answer, /secret/);
  });
}

test('nothing is taken', async () => {
  await using scratch = await makeScratch();
  await using server = await startStaticServer(scratch.path);
  assert.equal((await fetch(`${server.url}/new`, { method: 'PUT', body: 'x' })).status, 405);
});
