/** The jobs of all kinds that a worker thread does, each in a module of its own. */
import type { ThreadTask } from '../src/pool/messages.ts';
import { serveJobs } from '../src/pool/serve.ts';

export const serveThread: (task: ThreadTask) => Promise<void> = serveJobs({
  fetch: () => import('./fetch.ts'),
  hashPath: () => import('./hash-path.ts'),
  open: () => import('./open.ts'),
  substitute: () => import('./substitute.ts'),
  upload: () => import('./upload.ts'),
});
