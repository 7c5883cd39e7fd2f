/** The programs that a comparison takes, and what to do where one is missing. */

import { readFile } from 'node:fs/promises';
import { cpus, release, type as systemName, totalmem } from 'node:os';
import { isOnPath, lines, run } from '../../test/support/run.ts';
import { decoderOf } from './floor.ts';
import { findEchoModule } from './nginx.ts';
import type { LeftOut, Machine } from './report.ts';
import type { Row } from './rows.ts';

export interface Tools {
  readonly nix: boolean;
  readonly nginx: boolean;
  /** Of nginx; see {@link findEchoModule}. */
  readonly echoModule: string | undefined;
  /** Compressions whose decoder there is for the floor. */
  readonly decoders: ReadonlySet<string>;
}

/** In Debian and its like; elsewhere they are called alike. */
const INSTALL = {
  nix: 'apt-get install nix-bin',
  nginx: 'apt-get install nginx-light',
  echoModule: 'apt-get install libnginx-mod-http-echo',
  zstd: 'apt-get install zstd',
  xz: 'apt-get install xz-utils',
} as const;

export async function findTools(): Promise<Tools> {
  const nginx = isOnPath('nginx');
  return {
    nix: isOnPath('nix') && isOnPath('nix-store'),
    nginx,
    echoModule: nginx ? await findEchoModule() : undefined,
    decoders: new Set(['zstd', 'xz'].filter((compression) => isOnPath(decoderOf(compression)!))),
  };
}

/** A line for each thing that is missing: what is not measured for it, and how to get it. */
export function missingTools({ nix, nginx, echoModule, decoders }: Tools): string[] {
  const missing: string[] = [];
  const miss = (what: string, effect: string, install: string): void => {
    missing.push(`${what} is missing, so ${effect}: ${install}`);
  };
  if (!nix) miss('Nix', 'Sluice runs alone', INSTALL.nix);
  if (!nginx) miss('nginx', 'nothing is transferred', INSTALL.nginx);
  else if (echoModule === undefined) miss("nginx's echo module", 'no answer is delayed', INSTALL.echoModule);
  for (const program of ['zstd', 'xz'] as const) {
    if (!decoders.has(program)) miss(program, 'its floor has no decoding', INSTALL[program]);
  }
  return missing;
}

/** Why a row cannot be measured with these tools, if so. */
export function whyNot(row: Row, { nginx, echoModule }: Tools): LeftOut | undefined {
  if (row.kind === 'graph') return undefined;
  if (!nginx) return { row: row.name, reason: 'nginx is missing' };
  if (row.delay > 0 && echoModule === undefined) return { row: row.name, reason: "nginx's echo module is missing" };
  return undefined;
}

/** On what, and with what, is measured. */
export async function describeMachine({ nix, nginx }: Tools): Promise<Machine> {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${systemName()} ${release()} ${process.arch}`,
    node: `Node ${process.versions.node}`,
    sluice: `Sluice ${version}${await revision()}`,
    nix: nix ? await firstLine('nix', '--version') : undefined,
    nginx: nginx ? (await firstLine('nginx', '-v')).replace(/^nginx version: /, '') : undefined,
  };
}

async function firstLine(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(program, args);
  return lines(stdout + stderr)[0] ?? program;
}

/** ` at 1a2b3c4, changed`: so that two reports can be told apart. */
async function revision(): Promise<string> {
  if (!isOnPath('git')) return '';
  const { code, stdout } = await run('git', ['describe', '--always', '--dirty=, changed'], {
    cwd: import.meta.dirname,
  });
  return code === 0 ? ` at ${stdout.trim()}` : '';
}
