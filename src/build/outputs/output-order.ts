/**
 * Outputs in the order in which they refer to each other.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, registerOutputs.
 */
import { MentionFinder } from '../../formats/mentions.ts';
import { NarParser } from '../../formats/nar.ts';
import { dumpNar } from '../../stores/nar-fs.ts';
import { printPath } from '../../stores/optimise/byte-path.ts';
import { rejected } from './output-place.ts';
import type { TakenOutput } from './take-output.ts';
import type { Turn } from './turn.ts';

/**
 * Puts outputs after those that they refer to.
 *
 * @throws {BuildError} where they refer to each other in a circle; it names a file for each step of it.
 */
export async function sortOutputs(
  outputs: readonly TakenOutput[],
  drvPath: string,
  turn: Turn,
): Promise<readonly TakenOutput[]> {
  const sorted = new Set<TakenOutput>();
  const path: TakenOutput[] = [];
  const byPath = new Map(outputs.map((output) => [output.place.path, output]));

  /** Returns the outputs of a circle, where it finds one. */
  function visit(output: TakenOutput): readonly TakenOutput[] | undefined {
    if (sorted.has(output)) return undefined;
    const start = path.indexOf(output);
    if (start >= 0) return path.slice(start);
    path.push(output);
    for (const reference of output.references) {
      const next = byPath.get(reference);
      const circle = next === undefined || next === output ? undefined : visit(next);
      if (circle !== undefined) return circle;
    }
    path.pop();
    sorted.add(output);
    return undefined;
  }

  for (const output of outputs) {
    const circle = visit(output);
    if (circle !== undefined) throw rejected(await describeCircle(circle, drvPath, turn));
  }
  return [...sorted];
}

async function describeCircle(circle: readonly TakenOutput[], drvPath: string, turn: Turn): Promise<string> {
  const steps: string[] = [];
  for (const [index, from] of circle.entries()) {
    const to = circle[(index + 1) % circle.length]!;
    const file = await findMention(from, to, turn);
    steps.push(`output '${from.place.name}' refers to '${to.place.name}' in '${from.place.fullPath}${file}'`);
  }
  return `cycle detected in build of '${drvPath}': ${steps.join('; ')}`;
}

/** The first file of an output that mentions another one, with a slash before it; nothing where it is a file name. */
async function findMention(from: TakenOutput, to: TakenOutput, turn: Turn): Promise<string> {
  const finder = new MentionFinder([to.place.path]);
  const parser = new NarParser(finder);
  await dumpNar(from.place.location, (chunk) => {
    parser.push(chunk);
    return turn.isOver ? turn.next() : undefined;
  });
  const [mention] = finder.found.get(to.place.path)!;
  return mention === undefined || mention.file === '/' ? '' : `/${printPath(mention.file)}`;
}
