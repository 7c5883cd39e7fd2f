/**
 * A server of one directory in a process of its own: nginx, or this program where there is none. Run as a program,
 * `node server.ts DIRECTORY`, it is that.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startStaticServer } from '../../src/cli/demo/static-server.ts';
import { startNginx } from '../../test/support/nginx.ts';
import { isOnPath } from '../../test/support/run.ts';

export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly program: string;
}

/** @param scratch - for files of the server. */
export async function startServer(directory: string, scratch: string): Promise<Server> {
  if (isOnPath('nginx')) {
    const nginx = await startNginx(directory, scratch);
    return { url: nginx.url, program: 'nginx', [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose]() };
  }
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: line.toString().trim(),
    program: 'Node',
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

if (import.meta.main) console.log((await startStaticServer(process.argv[2]!)).url);
