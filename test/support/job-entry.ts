/** A worker module whose `hashPath` job does what its path says: the pool's tests run it in place of workers/thread. */
import { setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { FormatError } from '../../src/errors.ts';
import type { ThreadTask } from '../../src/pool/messages.ts';
import { type Handler, type Handlers, serveJobs } from '../../src/pool/serve.ts';

/** How many jobs this thread runs that count themselves. */
let counted = 0;

const hashPath: Handler<'hashPath'> = async ({ realPath }, { signal, progress, tell, hasSpareCore }) => {
  switch (realPath) {
    case 'malformed':
      throw new FormatError('nar', 3, 'as asked', { hint: 'ask for something else' });
    case 'tell':
      for (let line = 1; line <= 20; line++) tell({ kind: 'log', lines: [`line ${line}`] });
      break;
    case 'bug':
      throw new TypeError('undefined is not a function');
    case 'exit':
      return process.exit(3);
    case 'hang':
      progress.addNar(7);
      await sleep(2 ** 30, undefined, { signal });
      break;
    case 'spare core':
      return { narHash: { algorithm: 'sha256', digest: new Uint8Array(32) }, narSize: hasSpareCore ? 1 : 0 };
    case 'count': {
      const narSize = ++counted;
      await new Promise(setImmediate);
      counted--;
      return { narHash: { algorithm: 'sha256', digest: new Uint8Array(32) }, narSize };
    }
  }
  return { narHash: { algorithm: 'sha256', digest: new Uint8Array(32) }, narSize: threadId };
};
const handlers = { hashPath: async () => ({ default: hashPath }) };
const serveThread: (task: ThreadTask) => Promise<void> = serveJobs(handlers as Partial<Handlers> as Handlers);

export { serveThread as default, serveThread as 'module.exports' };
