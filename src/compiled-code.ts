/**
 * Scripts of what build.ts makes, with the code that V8 compiled of them in earlier runs. Node's compile cache has only
 * what is compiled when a module is loaded; of the functions that a run calls later there are 1,400 in the program and
 * 400 in a thread, and compiling them took 25 and 10 ms of every start.
 *
 * What is kept lies in the directory of Node's compile cache, which is one of this user, this version of Node and these
 * flags; without it nothing is kept. V8 checks all but the bytes themselves, and would run whatever they are.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire, getCompileCacheDir } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** The comment that a script begins with names its contents: code of another build is not taken. */
const NAME = /^\/\*([0-9a-f]{32})\*\//;
/** What a file begins with: that name, the checksum of the code, and whether it is whole. V8 wants the code aligned. */
const HEADER = 48;
const WHOLE = 'whole';
/** A file that is still not whole after so many milliseconds was left behind. */
const LEFT_BEHIND = 60_000;
/** After so many milliseconds most of what a run needs has been called. */
const CALLED_AFTER = 500;
/** Commands that call functions of their own and are in a hurry have files of their own. */
const COMMANDS: ReadonlySet<string> = new Set(['build', 'copy', 'gc', 'optimise', 'path-info', 'realise', 'verify']);

interface Loaded {
  readonly script: Script;
  /** Where its code is kept. */
  readonly file: string;
  /** In the script, and in that file where it fits. */
  readonly name: string;
  /** What is kept already: everything that a run calls, some of it, or nothing. */
  kept: 'whole' | 'part' | 'nothing';
}

const loaded: Loaded[] = [];
const results = new Map<string, unknown>();

/**
 * Runs a script, once: a function expression of `exports`, `require`, `module`, `__filename` and `__dirname`. What it
 * requires from its own directory are scripts, too.
 *
 * @returns its exports.
 */
export function loadScript(filename: string): unknown {
  if (!results.has(filename)) results.set(filename, runScript(filename));
  return results.get(filename);
}

function runScript(filename: string): unknown {
  const source = readFileSync(filename, 'utf8'); // it is ASCII; V8 gets it without a buffer between
  const name = NAME.exec(source)?.[1];
  const file = cacheFile(filename);
  const code = name === undefined ? undefined : readCode(file, name);
  const script = new Script(source, { filename, cachedData: code?.data });
  const kept = code === undefined || script.cachedDataRejected ? 'nothing' : code.kept;
  if (name !== undefined && file !== undefined) loaded.push({ script, file, name, kept });
  const module: { exports: unknown } = { exports: {} };
  const define = script.runInThisContext() as (...values: readonly unknown[]) => void;
  const directory = dirname(filename);
  const load = createRequire(filename);
  const require = (id: string): unknown => (id.startsWith('./') ? loadScript(join(directory, id)) : load(id));
  define(module.exports, require, module, filename, directory);
  return module.exports;
}

/**
 * Keeps what has been compiled so far, where that is more than what was kept. It takes some milliseconds, once.
 *
 * @param age - of this thread, in milliseconds.
 */
export function keepCompiledCode(age: number = performance.now()): void {
  const now = age >= CALLED_AFTER ? 'whole' : 'part';
  for (const each of loaded) {
    if (each.kept === 'whole' || each.kept === now) continue;
    each.kept = now;
    const code = each.script.createCachedData();
    write(each.file, Buffer.concat([Buffer.from(headerOf(each.name, code, now)), code]));
  }
}

function headerOf(name: string, code: Uint8Array, kept: 'whole' | 'part'): string {
  return `${name}${crc32(code).toString(16)} ${kept === 'whole' ? WHOLE : ''}`.padEnd(HEADER);
}

function cacheFile(script: string): string | undefined {
  const directory = getCompileCacheDir();
  const command = process.argv[2] ?? '';
  return directory && join(directory, `${basename(script, '.js')}-${COMMANDS.has(command) ? command : 'other'}`);
}

function readCode(file: string | undefined, name: string): { data: Buffer; kept: 'whole' | 'part' } | undefined {
  try {
    const bytes = readFileSync(file!);
    const data = bytes.subarray(HEADER);
    const header = bytes.toString('latin1', 0, HEADER);
    const kept = header.includes(WHOLE) ? 'whole' : 'part';
    return header === headerOf(name, data, kept) ? { data, kept } : undefined;
  } catch {
    return undefined;
  }
}

/** Nobody needs to know that it fails: the next run compiles, as this one did. */
function write(file: string, data: Buffer): void {
  const temporary = `${file}.new`;
  try {
    const stats = statSync(temporary, { throwIfNoEntry: false });
    if (stats !== undefined && Date.now() - stats.mtimeMs > LEFT_BEHIND) rmSync(temporary);
    writeFileSync(temporary, data, { flag: 'wx', mode: 0o600 });
    renameSync(temporary, file);
  } catch (error) {
    const isOthers = (error as NodeJS.ErrnoException).code === 'EEXIST'; // somebody else is at it
    if (!isOthers) rmSync(temporary, { force: true });
  }
}
