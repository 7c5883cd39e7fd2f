/**
 * Says in which files two trees differ, in what a NAR has of them: names, kinds, the executable bit, contents and
 * targets.
 */
import { constants, lstatSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { OpenFile } from '../../stores/nar-buffer.ts';
import { bytePath, fsPath, printPath } from '../../stores/optimise/byte-path.ts';
import { kindOf, readDirectory } from '../../stores/optimise/read-directory.ts';
import { isExecutable } from './canonical-metadata.ts';
import type { Turn } from './turn.ts';

const CHUNK_SIZE = 64 * 1024;
const OPEN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * The first differences, in words, with what they are about; where there are more than `most`, the last says so.
 *
 * @param before - a tree with canonical metadata, as `after`.
 */
export async function findDifferences(before: string, after: string, most: number, turn: Turn): Promise<string[]> {
  const found: string[] = [];
  const pending = [''];
  for (let below = pending.pop(); below !== undefined; below = pending.pop()) {
    const [a, b] = [bytePath(before) + below, bytePath(after) + below];
    const difference = await compareFiles(a, b, turn);
    if (difference !== undefined) found.push(`${describeName(below)} ${difference}`);
    else if (isDirectory(a)) {
      const [namesBefore, namesAfter] = [namesIn(a), namesIn(b)];
      const gone = namesBefore.difference(namesAfter);
      const added = namesAfter.difference(namesBefore);
      found.push(...[...gone].map((name) => `${describeName(`${below}/${name}`)} is missing`));
      found.push(...[...added].map((name) => `${describeName(`${below}/${name}`)} is new`));
      const common = [...namesBefore.intersection(namesAfter)].sort().reverse();
      pending.push(...common.map((name) => `${below}/${name}`));
    }
    if (found.length > most) return [...found.slice(0, most), 'and more'];
    if (turn.isOver) await turn.next();
  }
  return found;
}

async function compareFiles(a: string, b: string, turn: Turn): Promise<string | undefined> {
  const [before, after] = [lstatSync(fsPath(a)), lstatSync(fsPath(b))];
  const [kindBefore, kindAfter] = [kindOf(before), kindOf(after)];
  if (kindBefore !== kindAfter) return `was a ${describeKind(kindBefore)} and is a ${describeKind(kindAfter)}`;
  if (kindBefore === 'symlink') {
    const [was, is] = [a, b].map((path) => printPath(readlinkSync(fsPath(path), 'latin1')));
    return was === is ? undefined : `led to '${was}' and leads to '${is}'`;
  }
  if (kindBefore !== 'regular') return undefined;
  if (isExecutable(before) !== isExecutable(after))
    return isExecutable(after) ? 'is executable now' : 'is not executable any more';
  if (before.size !== after.size) return `had ${before.size} bytes and has ${after.size}`;
  const offset = await firstDifference(a, b, before, turn);
  return offset === undefined ? undefined : `has other contents, from byte ${offset} on`;
}

async function firstDifference(a: string, b: string, { size }: Stats, turn: Turn): Promise<number | undefined> {
  using before = new OpenFile(fsPath(a), OPEN);
  using after = new OpenFile(fsPath(b), OPEN);
  const [ours, theirs] = [Buffer.alloc(CHUNK_SIZE), Buffer.alloc(CHUNK_SIZE)];
  for (let start = 0; start < size; start += CHUNK_SIZE) {
    readSync(before.fd, ours, 0, CHUNK_SIZE, start);
    readSync(after.fd, theirs, 0, CHUNK_SIZE, start);
    if (!ours.equals(theirs)) return start + ours.findIndex((byte, index) => byte !== theirs[index]);
    if (turn.isOver) await turn.next();
  }
  return undefined;
}

function isDirectory(path: string): boolean {
  return lstatSync(fsPath(path)).isDirectory();
}

function namesIn(path: string): Set<string> {
  return new Set(readDirectory(path).map(({ name }) => name));
}

function describeName(below: string): string {
  return below === '' ? 'it' : `'${printPath(below.slice(1))}'`;
}

function describeKind(kind: string): string {
  return kind === 'regular' ? 'file' : kind;
}
