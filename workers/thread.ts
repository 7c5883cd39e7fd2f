/**
 * What Piscina runs in every worker thread. It stays this small so that what it loads comes out of the compile cache.
 *
 * Piscina loads it with `require`, for which Node puts another module around one that has a default export and no
 * 'module.exports'. A thread that is ended while it does so takes the whole process along: Node 24 aborts.
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { keepCompiledCode } from '../src/compiled-code.ts';
import type { JobName, ThreadTask } from '../src/pool/messages.ts';

/** After so many milliseconds what the jobs need is compiled; a thread that is ended writes nothing any more. */
const COMPILED_AFTER = 500;

async function thread(task: ThreadTask): Promise<void> {
  if (process.env.NODE_COMPILE_CACHE) {
    enableCompileCache();
    setTimeout(keep, COMPILED_AFTER).unref();
  }
  const { serveThread } = await import('./jobs.ts');
  await serveThread(task, ended);
}

/** A short run ends the thread soon after its jobs. What opens a store alone has not called much. */
function ended(name: JobName): void {
  if (name !== 'open') setImmediate(keepCompiledCode);
}

function keep(): void {
  flushCompileCache();
  keepCompiledCode();
}

export { thread as default, thread as 'module.exports' };
