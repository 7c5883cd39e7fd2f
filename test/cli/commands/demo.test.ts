/** How the demonstration ends before its end; test/package.test.ts runs it whole. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { MAIN } from '../../support/run.ts';
import { makeScratch } from '../../support/scratch.ts';

test('a demonstration that is interrupted leaves nothing behind', async () => {
  await using scratch = await makeScratch(500);
  const env = { ...process.env, TMPDIR: scratch.path };
  using child = spawn(process.execPath, [MAIN, 'demo'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  await once(child.stderr, 'data');
  child.kill('SIGINT');
  assert.match(await text(child.stderr), /interrupted/);
  const [code] = (await exited) as [number | null];
  assert.equal(code, 130);
  assert.deepEqual(await readdir(scratch.path), []);
});
