/**
 * What is replaced in all that a builder gets: placeholders of outputs by where the outputs are made, and the hash parts
 * of outputs that must not be touched by those of other paths.
 *
 * Source: Nix 2.35 libstore/derivations.cc, hashPlaceholder; libutil/util.cc, rewriteStrings.
 */
import { hashBytes } from '../formats/hash.ts';
import { encodeNix32 } from '../formats/nix32.ts';

/** What stands for what; nothing that is replaced is the beginning of another. */
export type Rewrites = ReadonlyMap<string, string>;

/** The text by which a derivation names its output before its path is known. */
export function outputPlaceholder(output: string): string {
  return `/${encodeNix32(hashBytes('sha256', `nix-output:${output}`).digest)}`;
}

/** Replaces all of them, wherever they are. */
export function rewriteText(text: string, rewrites: Rewrites): string {
  let result = text;
  for (const [from, to] of rewrites) if (result.includes(from)) result = result.replaceAll(from, () => to);
  return result;
}
