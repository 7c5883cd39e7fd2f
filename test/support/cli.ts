/** The command line inside the test's own process: fast, and its terminal is made up. */
import type { Host } from '../../src/cli/program.ts';
import { runProgram } from '../../src/cli/program.ts';

export interface CliOptions {
  /** What the standard input holds. */
  readonly input?: string | Uint8Array;
  /** Whether the standard output is a terminal. */
  readonly isTerminal?: boolean;
  /** The whole of it; where it is missing, one in which nothing is seen of how the machine is configured. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An environment in which nothing is seen of how the machine is configured. */
export const UNCONFIGURED: Readonly<Record<string, string>> = {
  NIX_CONF_DIR: '/no-such-directory',
  NIX_USER_CONF_FILES: '',
};

/** Runs `sluice ARGS`. */
export async function runCli(
  args: readonly string[],
  { input = '', isTerminal = false, environment = UNCONFIGURED }: CliOptions = {},
): Promise<CliResult> {
  const chunks: Buffer[] = [];
  let stderr = '';
  const host: Host = {
    stdin: chunksOf(input),
    stdout: { isTerminal, write: async (bytes) => void chunks.push(Buffer.from(bytes)) },
    stderr: {
      write: (text) => {
        stderr += text;
      },
    },
    environment,
    version: () => '1.2.3',
  };
  const code = await runProgram(args, host);
  return { code, stdout: Buffer.concat(chunks).toString(), stderr };
}

/** What `sluice ARGS` prints; throws where its exit code is not 0. */
export async function cliOutput(args: readonly string[], options?: CliOptions): Promise<string> {
  const { code, stdout, stderr } = await runCli(args, options);
  if (code !== 0) throw new Error(`sluice ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}

async function* chunksOf(input: string | Uint8Array): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(input);
  for (let start = 0; start < bytes.length; start += 1000) yield bytes.subarray(start, start + 1000);
}
