/**
 * A tree of symlinks to files of packages. Where several have a directory of the same name, their files are merged in
 * one of the tree's own; where several have a file, the package with the lowest priority number wins.
 *
 * Source: Nix 2.35 libstore/builtins/buildenv.cc, createLinks.
 */
import { printPath } from '../../stores/optimise/byte-path.ts';
import { builtinFailure } from './context.ts';
import type { StoreFile, StoreFiles } from './store-files.ts';

/** Every package may have one, and nobody wants them merged. */
const LEFT_OUT = [
  '/propagated-build-inputs',
  '/nix-support',
  '/perllocal.pod',
  '/info/dir',
  '/log',
  '/manifest.nix',
  '/manifest.json',
] as const;

interface Link {
  readonly target: string;
  readonly priority: number;
}
interface Directory {
  readonly entries: Map<string, Link | Directory>;
  /** Of the link that was there before. */
  readonly priority: number;
}

/** Names and targets are byte strings. */
export class LinkTree {
  readonly #files: StoreFiles;
  readonly #warn: (message: string) => void;
  readonly #root: Directory = { entries: new Map(), priority: 0 };
  readonly #rootPath: string;

  /** @param rootPath - what messages call it. */
  constructor(files: StoreFiles, warn: (message: string) => void, rootPath: string) {
    this.#files = files;
    this.#warn = warn;
    this.#rootPath = rootPath;
  }

  /**
   * Adds the files of a package.
   *
   * @throws {BuildError} where a file of it and one that is there exclude each other, and where there is no package.
   */
  add(path: string, priority: number): void {
    this.#add(path, this.#root, this.#rootPath, priority);
  }

  /** Adds one symlink to the root. */
  link(name: string, target: string): void {
    this.#root.entries.set(name, { target, priority: 0 });
  }

  /** All of it, each directory before what is in it; a directory has no target. */
  *entries(): Generator<{ readonly path: string; readonly target: string | undefined }> {
    const pending: { path: string; node: Directory | Link }[] = [{ path: '', node: this.#root }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { path, node } = next;
      if ('target' in node) {
        yield { path, target: node.target };
        continue;
      }
      yield { path, target: undefined };
      for (const [name, child] of node.entries)
        pending.push({ path: path === '' ? name : `${path}/${name}`, node: child });
    }
  }

  /** @param source - as links name it, symlinks and all. */
  #add(source: string, into: Directory, shown: string, priority: number): void {
    const found = this.#files.resolve(source);
    if (found === undefined) throw builtinFailure(`cannot read directory '${printPath(source)}': it is not there`);
    if (found.kind !== 'directory') {
      this.#warn(`not including '${printPath(source)}' in the user environment because it's not a directory`);
      return;
    }
    for (const { name, file } of this.#files.list(found)) {
      if (name.startsWith('.')) continue;
      if (file === undefined) this.#warn(`skipping dangling symlink '${printPath(`${shown}/${name}`)}'`);
      else if (!LEFT_OUT.some((suffix) => `${source}/${name}`.endsWith(suffix))) {
        this.#addFile(name, file, { source: `${source}/${name}`, into, shown: `${shown}/${name}`, priority });
      }
    }
  }

  #addFile(
    name: string,
    { kind }: StoreFile,
    { source, into, shown, priority }: { source: string; into: Directory; shown: string; priority: number },
  ): void {
    const before = into.entries.get(name);
    if (before === undefined) into.entries.set(name, { target: source, priority });
    else if (kind === 'directory')
      this.#add(source, this.#openDirectory(name, before, { source, into, shown }), shown, priority);
    else if ('entries' in before) {
      throw builtinFailure(
        `collision between non-directory '${printPath(source)}' and directory '${printPath(shown)}'`,
      );
    } else if (before.priority === priority) throw conflict(before.target, source, priority);
    else if (before.priority > priority) into.entries.set(name, { target: source, priority });
  }

  /** Makes a directory out of a link to one. */
  #openDirectory(
    name: string,
    before: Link | Directory,
    { source, into, shown }: { source: string; into: Directory; shown: string },
  ): Directory {
    if ('entries' in before) return before;
    const target = this.#files.resolve(before.target);
    if (target?.kind !== 'directory') {
      const shownTarget = printPath(target?.path ?? before.target);
      throw builtinFailure(`collision between '${printPath(source)}' and non-directory '${shownTarget}'`);
    }
    const opened: Directory = { entries: new Map(), priority: before.priority };
    into.entries.set(name, opened);
    this.#add(target.path, opened, shown, before.priority);
    return opened;
  }
}

function conflict(one: string, other: string, priority: number): Error {
  return builtinFailure(
    `there is a conflict for the following files:\n\n  ${printPath(one)}\n  ${printPath(other)}\n\nBoth have priority ${priority}.`,
    {
      hint: "give one of the packages another priority, as with 'nix-env --set-flag priority NUMBER PACKAGE'; 0 is the highest",
    },
  );
}
