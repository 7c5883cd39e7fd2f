/** Errors as the user reads them: what went wrong, why where that adds something, and what to do. */
import { getSystemErrorMessage } from 'node:util';
import { BuildError, SluiceError } from '../errors.ts';
import { plainText } from './plain-text.ts';

const MAX_CAUSES = 8;

export interface DescribeOptions {
  /** Adds the stacks. */
  readonly debug: boolean;
  /** What could not be done, where the error does not name it: `cannot copy '/nix/store/…'`. */
  readonly subject?: string | undefined;
  /** A line after the first. */
  readonly note?: string | undefined;
  /** Where the error has none. */
  readonly hint?: string | undefined;
}

/** `error: …`, then lines that begin with `cause:` and `hint:`; no newline at the end. */
export function describeError(error: unknown, options: DescribeOptions): string {
  if (error instanceof SuppressedError) {
    // The cleanup failed after the work did: what failed first matters more.
    return [error.suppressed, error.error].map((each) => describeError(each, options)).join('\n');
  }
  const { debug, subject, note } = options;
  const chain = causesOf(error);
  const lines = [`error: ${subject === undefined ? '' : `${subject}: `}${messageOf(error)}`];
  if (note !== undefined) lines.push(note);
  for (const cause of chain.slice(1)) {
    const message = messageOf(cause);
    const isTold = lines.some((line) => line.includes(message) || line.includes(rawMessage(cause)));
    if (!isTold) lines.push(`cause: ${message}`);
  }
  for (const link of chain) if (link instanceof BuildError) lines.push(...describeBuild(link));
  const hint = hintOf(chain) ?? options.hint;
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  if (debug) lines.push(...chain.map(stackOf));
  return lines.join('\n');
}

/** What the builder printed last, and where it can be looked at. */
function describeBuild({ failure: { logTail = [], keptBuildDir } }: BuildError): string[] {
  const count = logTail.length === 1 ? 'line' : `${logTail.length} lines`;
  return [
    ...(logTail.length === 0 ? [] : [`last ${count} of its log:`, ...logTail.map((line) => `> ${plainText(line)}`)]),
    ...(keptBuildDir === undefined ? [] : [`note: keeping build directory '${keptBuildDir}'`]),
  ];
}

function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let link = error; link !== undefined && chain.length < MAX_CAUSES; ) {
    chain.push(link);
    link = link instanceof Error ? link.cause : undefined;
  }
  return chain;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isSystemError(error)) return systemMessage(error);
  return error instanceof SluiceError || error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
}

function rawMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The hint nearest to the user. What nobody foresaw, and so has none, is a bug. */
function hintOf(chain: readonly unknown[]): string | undefined {
  const [error] = chain;
  if (error instanceof Error && !(error instanceof SluiceError) && !isSystemError(error)) {
    return 'this is a bug in sluice; --debug shows where';
  }
  return chain.map((link) => (link instanceof SluiceError ? link.hint : undefined)).find((hint) => hint !== undefined);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}

/** An error of the operating system, as Node tells it. */
interface SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
}

function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'errno' in error && 'syscall' in error && typeof error.errno === 'number';
}

/** `cannot open 'x': no such file or directory`, where Node has `ENOENT: no such file or directory, open 'x'`. */
function systemMessage({ syscall, path, errno }: SystemError): string {
  const verb = VERBS[syscall] ?? syscall;
  return `cannot ${verb}${path === undefined ? '' : ` '${path}'`}: ${getSystemErrorMessage(errno)}`;
}

const VERBS: Readonly<Record<string, string>> = {
  lstat: 'read',
  stat: 'read',
  scandir: 'list',
  mkdir: 'create',
  connect: 'connect',
};
