/** The jobs of all kinds that a worker thread does, each in a module of its own. */
import { type ServeThread, serveJobs } from '../src/pool/serve.ts';

export const serveThread: ServeThread = serveJobs({
  build: () => import('./build.ts'),
  copyPaths: () => import('./copy-paths.ts'),
  deleteLinks: () => import('./delete-links.ts'),
  deletePaths: () => import('./delete-paths.ts'),
  fetch: () => import('./fetch.ts'),
  findRoots: () => import('./find-roots.ts'),
  hashPath: () => import('./hash-path.ts'),
  hashPaths: () => import('./hash-paths.ts'),
  hookBuild: () => import('./hook-build.ts'),
  open: () => import('./open.ts'),
  optimise: () => import('./optimise.ts'),
  postBuildHook: () => import('./post-build-hook.ts'),
  readLinks: () => import('./read-links.ts'),
  remoteBuild: () => import('./remote-build.ts'),
  substitute: () => import('./substitute.ts'),
  upload: () => import('./upload.ts'),
  verifyLinks: () => import('./verify-links.ts'),
});
