/** What runs in every worker thread: jobs of all kinds, each in a module of its own. */
import type { ThreadTask } from '../src/pool/messages.ts';
import { serveJobs } from '../src/pool/serve.ts';

const serveThread: (task: ThreadTask) => Promise<void> = serveJobs({
  fetch: () => import('./fetch.ts'),
  hashPath: () => import('./hash-path.ts'),
  open: () => import('./open.ts'),
  substitute: () => import('./substitute.ts'),
  upload: () => import('./upload.ts'),
});
export default serveThread;
