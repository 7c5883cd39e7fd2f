import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { cacheUrl, checkDelay, findEchoModule, nginxConfiguration, startServer } from '../../../bench/peers/nginx.ts';
import { DELAY } from '../../../bench/peers/rows.ts';
import { needs } from '../../support/run.ts';
import { makeScratch } from '../../support/scratch.ts';

const PLACE = { directory: '/corpora', scratch: '/scratch', port: 4711 };

test('the configuration keeps to its own directories, and to the loopback interface', () => {
  const text = nginxConfiguration(PLACE, '/modules/echo.so');
  assert.match(text, /^\s*load_module \/modules\/echo\.so;/m);
  assert.match(text, /listen 127\.0\.0\.1:4711;/);
  assert.match(text, /root \/corpora;/);
  for (const [, path] of text.matchAll(/(?:pid|_temp_path) (\S+);/g)) assert.ok(path!.startsWith('/scratch/'), path);
});

test('without its module nothing is delayed', () => {
  assert.doesNotMatch(nginxConfiguration(PLACE, undefined), /load_module|echo|delayed/);
});

test('nginx', needs('nginx'), async (t) => {
  await using scratch = await makeScratch();
  const directory = join(scratch.path, 'corpora');
  await mkdir(join(directory, 'tiny'), { recursive: true });
  await writeFile(join(directory, 'tiny/top'), 'contents');
  const echoModule = await findEchoModule();
  const skip = echoModule === undefined && 'nginx has no echo module here (libnginx-mod-http-echo)';
  await using nginx = await startServer(directory, join(scratch.path, 'nginx'), echoModule);

  await t.test('serves files', async () => {
    const answer = await fetch(cacheUrl(nginx, 'tiny/top', 0));
    assert.equal(await answer.text(), 'contents');
  });

  await t.test('serves the same files late', { skip }, async () => {
    const answer = await fetch(cacheUrl(nginx, 'tiny/top', DELAY));
    assert.equal(await answer.text(), 'contents');
    assert.equal((await fetch(cacheUrl(nginx, 'tiny/nothing', DELAY))).status, 404);
    assert.ok((await checkDelay(nginx, 'tiny/top')) >= DELAY - 1);
  });

  await t.test('is found out where it delays nothing', async () => {
    await mkdir(join(directory, 'delayed/tiny'), { recursive: true });
    await writeFile(join(directory, 'delayed/tiny/top'), 'contents');
    await using hasty = await startServer(directory, join(scratch.path, 'hasty'), undefined);
    await assert.rejects(checkDelay(hasty, 'tiny/top'), /was to delay by 20 ms came after/);
  });
});
