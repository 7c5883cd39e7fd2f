/** A process that builds one derivation in a worker thread and prints what its builder prints: something to be killed. */
import { isMainThread, Worker } from 'node:worker_threads';
import { openBuildStore } from './local-builds.ts';

const [dir, drvPath, sandbox] = process.argv.slice(2) as [string, string, 'true' | 'false'];
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  worker.on('error', (error) => {
    throw error;
  });
} else {
  await using builds = await openBuildStore(dir);
  await builds.build(await builds.request(drvPath), {
    settings: { sandbox },
    onNotice: (notice) => {
      if (notice.kind === 'log') process.stdout.write(`${notice.lines.join('\n')}\n`);
    },
  });
}
