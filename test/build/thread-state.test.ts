import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const SPAWN = JSON.stringify(new URL('../../src/build/spawn.ts', import.meta.url).href);

/** In a thread of its own, as builders are started; then what the rest of the process has. */
const PROGRAM = `
  import { Worker } from 'node:worker_threads';
  const thread = \`
    import(${SPAWN}).then(async ({ readSpawned, spawnProcess }) => {
      for (let times = 0; times < 2; times++) {
        const builder = { program: '/bin/sh', args: ['sh', '-c', 'umask'], env: new Map(), cwd: '/' };
        process.stdout.write((await readSpawned(spawnProcess(builder))).output);
      }
    });\`;
  new Worker(thread, { eval: true }).once('exit', () => {
    process.stdout.write(process.umask().toString(8));
  });`;

test('builders have umask 022, and the process that starts them keeps its own', () => {
  for (const umask of ['77', '22', '0']) {
    const words = ['-c', `umask ${umask}; exec "$0" --input-type=module -e "$1"`, process.execPath, PROGRAM];
    const printed = execFileSync('sh', words, { encoding: 'utf8' });
    assert.equal(printed, `0022\n0022\n${umask}`);
  }
});
