import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type MeasureOptions, measure } from '../../../bench/peers/measure.ts';
import { makeScratch } from '../../support/scratch.ts';

const MEBIBYTE = 2 ** 20;
const options = { skip: process.platform !== 'linux' && 'wait4(2) is asked in the way of Linux' };

test('measuring a program', options, async (t) => {
  await using scratch = await makeScratch();
  const log = join(scratch.path, 'log');
  const base: MeasureOptions = { env: { PATH: process.env.PATH ?? '' }, log, signal: new AbortController().signal };
  const node = (script: string) => [process.execPath, '-e', script] as const;

  await t.test('counts its own memory, and not that of whoever starts it', async () => {
    const { peakBytes } = await measure(['true'], base);
    assert.ok(peakBytes > 0 && peakBytes < 10 * MEBIBYTE, `${peakBytes}`);
    const large = await measure(node('Buffer.alloc(300 * 2 ** 20, 1)'), base);
    assert.ok(large.peakBytes > 300 * MEBIBYTE && large.peakBytes < 500 * MEBIBYTE, `${large.peakBytes}`);
  });

  await t.test('starts from nothing each time: a small program after a large one is small', async () => {
    assert.ok((await measure(['true'], base)).peakBytes < 10 * MEBIBYTE);
  });

  await t.test('counts processor time apart from wall time', async () => {
    const waiting = await measure(['sleep', '0.3'], base);
    assert.ok(waiting.seconds >= 0.3 && waiting.cpuSeconds < 0.1, JSON.stringify(waiting));
    const busy = await measure(
      node('const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end);'),
      base,
    );
    assert.ok(busy.cpuSeconds >= 0.3, JSON.stringify(busy));
  });

  await t.test('keeps what it prints, and gives it the environment that was asked for, and no other', async () => {
    process.env.SLUICE_TEST_LEAK = 'leak';
    await measure(['sh', '-c', 'echo "$WORD$SLUICE_TEST_LEAK"; echo err >&2'], {
      ...base,
      env: { ...base.env, WORD: 'out' },
    });
    assert.equal(await readFile(log, 'utf8'), 'out\nerr\n');
  });

  await t.test('passes arguments on as they are', async () => {
    await measure(['printf', '%s\n', 'a b', '$HOME', '"', '-n'], base);
    assert.equal(await readFile(log, 'utf8'), 'a b\n$HOME\n"\n-n\n');
  });

  await t.test('fails with what the program said, where that fails', async () => {
    await assert.rejects(measure(['sh', '-c', 'echo no luck >&2; exit 3'], base), /ended with exit code 3:\nno luck/);
    await assert.rejects(measure(['sh', '-c', 'kill -9 $$'], base), /ended with signal 9/);
    await assert.rejects(measure(['sluice-no-such-program'], base), /ended with exit code 127:\n.*not found/);
  });

  await t.test('kills the program when it is aborted', async () => {
    const controller = new AbortController();
    const running = measure(['sh', '-c', 'echo $$; exec sleep 1000'], { ...base, signal: controller.signal });
    let pid = 0;
    while (pid === 0) pid = Number(await readFile(log, 'utf8').catch(() => '0')); // `measure` has truncated it
    controller.abort();
    await assert.rejects(running, { name: 'AbortError' });
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    await assert.rejects(measure(['true'], { ...base, signal: controller.signal }), { name: 'AbortError' });
  });
});
