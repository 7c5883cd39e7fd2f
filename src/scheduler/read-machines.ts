/**
 * The machines of setting `builders`, with the files that it names.
 *
 * Source: Nix 2.35 libstore/machines.cc.
 */
import { readFile } from 'node:fs/promises';
import { StoreError } from '../errors.ts';
import { type Machine, parseMachines } from '../formats/machines.ts';
import type { Settings } from '../settings.ts';

/** So deep may files name each other. */
const MOST_DEEP = 16;

/** @throws {FormatError} on what describes no machine; {@link StoreError} on a file that cannot be read. */
export async function readMachines({ builders, buildHook, system }: Settings): Promise<readonly Machine[]> {
  // Who asks a hook leaves the machines to it.
  return buildHook === '' ? await read(builders, system, 0) : [];
}

async function read(text: string, system: string, depth: number): Promise<readonly Machine[]> {
  const machines: Machine[] = [];
  for (const entry of parseMachines(text, { systems: [system] })) {
    if ('machine' in entry) machines.push(entry.machine);
    else if (depth === MOST_DEEP) throw new StoreError(`machine files name each other more than ${MOST_DEEP} deep`);
    else machines.push(...(await read(await readIfThere(entry.include), system, depth + 1)));
  }
  return machines;
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new StoreError(`cannot read machines from '${file}': ${(cause as Error).message}`, { cause });
  }
}
