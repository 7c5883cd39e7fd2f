/** Runs the program on this process: its arguments, streams and exit code. */
import { readFileSync } from 'node:fs';
import type { Output } from './command.ts';
import { runProgram } from './program.ts';

/** What a shell reports for a process that SIGPIPE ended. */
const BROKEN_PIPE = 141;
/** The bits that files do not get. */
const PUBLIC = 0o022;

/** Ends the process, when all is done. */
export async function runProcess(): Promise<void> {
  process.umask(PUBLIC); // as in Nix: what is made in stores and caches, and in their databases, others may read
  process.stdout.on('error', stopQuietly);
  process.stderr.on('error', () => {}); // where nobody listens there is nobody to tell
  const code = await runProgram(process.argv.slice(2), {
    get stdin() {
      return process.stdin; // opened when it is first asked for
    },
    stdout,
    stderr: process.stderr,
    environment: process.env,
    version,
  });
  process.exit(code);
}

const stdout: Output = {
  get isTerminal() {
    return process.stdout.isTTY === true;
  },
  write: (bytes) =>
    new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    }),
};

/** Whoever read our output has gone, as `head` does. Any other error reaches the one who wrote. */
function stopQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(BROKEN_PIPE);
}

/** package.json is above `src/cli` in the checkout, and above `dist/src/cli` in what is built. */
function version(): string {
  const levels = import.meta.url.endsWith('.ts') ? '../../package.json' : '../../../package.json';
  const text = readFileSync(new URL(levels, import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
