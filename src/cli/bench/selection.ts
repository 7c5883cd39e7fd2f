/** Which paths are measured: a closure, or as much of it as was asked for. */
import { isNarInfo } from '../../formats/narinfo.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import { type PathInfos, referencesFirst } from '../../formats/references-first.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { sumOf } from './statistics.ts';

export interface Limits {
  /** How many paths at most. */
  readonly paths?: number | undefined;
  /** How many bytes to download at most. */
  readonly downloadBytes?: number | undefined;
}

/** What paths come to. */
export interface Amount {
  readonly paths: number;
  readonly narBytes: number;
  readonly downloadBytes: number;
}

export interface Selection {
  /** References first, and never one without all it refers to. */
  readonly paths: readonly StorePath[];
  readonly selected: Amount;
  /** What the limits left out. */
  readonly leftOut: Amount;
  /** How many paths were left out because something they refer to is not in the store. */
  readonly incomplete: number;
}

/** Takes what stays within `limits`, references first; a path that is too large does not keep smaller ones out. */
export function selectPaths(infos: PathInfos, { paths: most = Infinity, downloadBytes = Infinity }: Limits): Selection {
  const taken = new Set<StorePath>();
  const incomplete = new Set<StorePath>();
  const leftOut: PathInfo[] = [];
  let bytes = 0;
  for (const path of referencesFirst([...infos.keys()], infos, () => true)) {
    const info = infos.get(path)!;
    const references = info.references.filter((reference) => reference !== path);
    if (references.some((reference) => !infos.has(reference) || incomplete.has(reference))) {
      incomplete.add(path);
      continue;
    }
    const isAfter = references.every((reference) => taken.has(reference));
    const size = downloadSizeOf(info);
    if (isAfter && taken.size < most && bytes + size <= downloadBytes) {
      taken.add(path);
      bytes += size;
    } else leftOut.push(info);
  }
  const paths = [...taken];
  const selected = amountOf(paths.map((path) => infos.get(path)!));
  return { paths, selected, leftOut: amountOf(leftOut), incomplete: incomplete.size };
}

function amountOf(infos: readonly PathInfo[]): Amount {
  return {
    paths: infos.length,
    narBytes: sumOf(infos, ({ narSize }) => narSize),
    downloadBytes: sumOf(infos, downloadSizeOf),
  };
}

/** Where the store does not say how large the file is, it is taken to be as large as the NAR. */
function downloadSizeOf(info: PathInfo): number {
  return isNarInfo(info) ? (info.fileSize ?? info.narSize) : info.narSize;
}
