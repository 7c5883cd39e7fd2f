#!/usr/bin/env -S node --max-semi-space-size=4 --v8-pool-size=1
/**
 * The entry of the command line. It stays this small so that everything it loads comes out of the compile cache.
 * The flags bound V8's young generation, in MiB (2,000 paths take 40 MiB less memory for it, and no more time), and the
 * threads in which it compiles and collects: more than one take the cores from those that work.
 *
 * The rest: program.ts parses and dispatches, command.ts is the interface that every command implements,
 * commands/NAME.ts is one command, loaded when it is asked for, progress/ tells how work goes on.
 * A new command is one file in commands/ that exports `NAMECommand: CommandModule`, and one entry in command-table.ts.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { keepCompiledCode } from '../compiled-code.ts';
import { isTransfer } from './is-transfer.ts';

/** After so many milliseconds what a run needs is compiled; V8 drops later what was only called when it started. */
const COMPILED_AFTER = 1_000;

async function main(): Promise<void> {
  const { XDG_CACHE_HOME, HOME } = process.env;
  const caches = XDG_CACHE_HOME || (HOME && `${HOME}/.cache`);
  // Not below /tmp, as Node would have it: there, whoever comes first could leave code for others to run.
  if (caches && isMade(caches) && isMade(`${caches}/sluice`)) enableCompileCache(`${caches}/sluice/compile-cache`);

  // Its start takes about as long as loading the rest, which goes on meanwhile.
  if (isTransfer(process.argv.slice(2))) (await import('../pool/threads.ts')).startThread();
  const { runProcess } = await import('./process.ts');
  setTimeout(keepCompiledCode, COMPILED_AFTER).unref();
  process.once('exit', (code) => {
    if (code === 0) keepCompiledCode();
  });
  await runProcess();
}

/** Node itself would try for ever to make a directory in /proc. */
function isMade(dir: string): boolean {
  try {
    if (!existsSync(dir)) mkdirSync(dir, 0o700);
    return true;
  } catch {
    return false;
  }
}

void main();
