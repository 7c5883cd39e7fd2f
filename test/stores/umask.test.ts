import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { readUmask } from '../../src/stores/umask.ts';

const MODULE = JSON.stringify(new URL('../../src/stores/umask.ts', import.meta.url).href);

/** Asks in a process of its own, with this umask. */
function readIn(umask: string): string {
  const program = `import { readUmask } from ${MODULE}; process.stdout.write(readUmask().toString(8));`;
  return execFileSync(
    'sh',
    ['-c', `umask ${umask}; exec "$0" --input-type=module -e "$1"`, process.execPath, program],
    {
      encoding: 'utf8',
    },
  );
}

test('the umask is that of the process', () => {
  for (const umask of ['0', '22', '77', '277', '777']) assert.equal(readIn(umask), umask);
});

test('asking for the umask shows nobody another one, and no process that starts meanwhile keeps one', async () => {
  const asked = new SharedArrayBuffer(8);
  const rounds = new Int32Array(asked);
  const worker = new Worker(
    `const { workerData } = require('node:worker_threads');
     import(${MODULE}).then(({ readUmask }) => {
       for (const rounds = new Int32Array(workerData); Atomics.load(rounds, 1) === 0; Atomics.add(rounds, 0, 1)) readUmask();
     });`,
    { eval: true, workerData: asked },
  );
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await using resources = new AsyncDisposableStack();
  resources.defer(async () => {
    Atomics.store(rounds, 1, 1);
    await ended;
  });
  while (Atomics.load(rounds, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
  const expected = readUmask();
  const seen = new Set<number>();
  for (let times = 0; times < 30; times++) {
    seen.add(Number.parseInt(execFileSync('sh', ['-c', 'umask'], { encoding: 'utf8' }), 8));
  }
  for (let times = 0; times < 2_000; times++) seen.add(readUmask());
  assert.deepEqual([...seen], [expected]);
});
