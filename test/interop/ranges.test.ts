/** One large NAR from an nginx that gives each request only so much: it comes in ranges, and in a part of the time. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isNarInfo } from '../../src/formats/narinfo.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { verifyNar } from '../../src/stores/verify-nar.ts';
import { describeNar, MEBIBYTE, narOfNoise } from '../support/large-nars.ts';
import { type NginxPlace, nginxConfiguration, startNginx } from '../support/nginx.ts';
import { lines, needs } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

/** Of the NAR, and what is sent of it in a second, in MiB. */
const SIZE = 128;
const RATE = 8;

test(`a NAR of ${SIZE} MiB at ${RATE} MiB/s a request`, needs('nginx'), async (t) => {
  await using scratch = await makeScratch(2 * SIZE);
  const nar = narOfNoise({ size: SIZE, noise: 1 });
  const info = await describeNar(nar);
  await using cache = await openStore(`file://${scratch.path}/cache?compression=none`, makeSettings());
  await cache.addToStore(info, nar);
  const log = join(scratch.path, 'access.log');
  {
    await using nginx = await startNginx(`${scratch.path}/cache`, join(scratch.path, 'nginx'), configuration(log));
    await using store = await openStore(nginx.url, makeSettings());
    const announced = await store.queryPathInfo(info.path);
    assert.ok(announced !== undefined && isNarInfo(announced));
    const start = performance.now();
    const fetch = verifyNar(store.storeDir, info, (sink) => store.narFromPath(announced, sink, { synchronous: true }));
    await fetch(() => {});
    t.diagnostic(`${((performance.now() - start) / 1000).toFixed(1)} s in place of ${SIZE / RATE} s`);
  }
  const requests = lines(await readFile(log, 'utf8')).filter((line) => line.startsWith('/nar/'));
  const sent = requests.map((line) => Number(line.split(' ')[1])).reduce((sum, size) => sum + size, 0);
  assert.ok(requests.length > 10, requests.join('\n'));
  assert.ok(sent < info.narSize + 8 * MEBIBYTE, `${sent} bytes were sent`);
});

function configuration(log: string): (place: NginxPlace) => string {
  return ({ directory, scratch, port }) =>
    nginxConfiguration(
      scratch,
      `
    log_format sent '$uri $body_bytes_sent';
    access_log ${log} sent;
    limit_rate ${RATE}m;
    server { listen 127.0.0.1:${port}; root ${directory}; }`,
    );
}
