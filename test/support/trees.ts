/** Trees of files as values: as NARs, as fast-check arbitraries, and as what a parser told. */
import fc from 'fast-check';
import type { NarVisitor } from '../../src/formats/nar.ts';
import {
  ARCHIVE_START,
  DIRECTORY_END,
  DIRECTORY_START,
  ENTRY_END,
  entryStart,
  fileEnd,
  fileStart,
  symlink,
} from '../../src/formats/nar-writer.ts';

/** Names, targets and contents are byte strings. */
export type Tree =
  | { readonly type: 'regular'; readonly executable: boolean; readonly contents: string }
  | { readonly type: 'symlink'; readonly target: string }
  | { readonly type: 'directory'; readonly entries: Readonly<Record<string, Tree>> };

export function file(contents: string, executable = false): Tree {
  return { type: 'regular', executable, contents };
}

export function directory(entries: Readonly<Record<string, Tree>>): Tree {
  return { type: 'directory', entries };
}

/** The NAR of a tree. */
export function narOf(tree: Tree): Buffer {
  return Buffer.from(ARCHIVE_START + node(tree), 'latin1');
}

function node(tree: Tree): string {
  switch (tree.type) {
    case 'regular':
      return fileStart(tree.executable, tree.contents.length) + tree.contents + fileEnd(tree.contents.length);
    case 'symlink':
      return symlink(tree.target);
    case 'directory': {
      const names = Object.keys(tree.entries).sort();
      return (
        DIRECTORY_START +
        names.map((name) => entryStart(name) + node(tree.entries[name]!) + ENTRY_END).join('') +
        DIRECTORY_END
      );
    }
  }
}

/** A visitor that puts the tree together again. */
export class TreeBuilder implements NarVisitor {
  tree: Tree | undefined;
  readonly #open: { name: string; entries: Record<string, Tree> }[] = [];
  #file: { name: string; executable: boolean; contents: string } | undefined;

  enterDirectory(name: string): void {
    this.#open.push({ name, entries: Object.create(null) as Record<string, Tree> });
  }
  leaveDirectory(): void {
    const { name, entries } = this.#open.pop()!;
    this.#add(name, directory({ ...entries }));
  }
  file(name: string, executable: boolean): void {
    this.#file = { name, executable, contents: '' };
  }
  contents(bytes: Uint8Array): void {
    this.#file!.contents += Buffer.from(bytes).toString('latin1');
  }
  endFile(): void {
    const { name, executable, contents } = this.#file!;
    this.#add(name, file(contents, executable));
  }
  symlink(name: string, target: string): void {
    this.#add(name, { type: 'symlink', target });
  }
  #add(name: string, tree: Tree): void {
    const parent = this.#open.at(-1);
    if (parent === undefined) this.tree = tree;
    else parent.entries[name] = tree;
  }
}

const bytes = (constraints: { minLength?: number; maxLength: number; except?: string }): fc.Arbitrary<string> =>
  fc
    .uint8Array(constraints)
    .map((array) => Buffer.from(array).toString('latin1'))
    .map((text) => [...text].map((c) => ((constraints.except ?? '').includes(c) ? '_' : c)).join(''));

/** Objects as literals make them, so that deepEqual sees no difference. */
const plain = { noNullPrototype: true } as const;

/** Any tree that a file system can hold: a Linux file name is any bytes but NUL and '/'. */
export const anyTree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree; directory: Tree; file: Tree; link: Tree }>(
  (tie) => ({
    tree: fc.oneof({ maxDepth: 4, withCrossShrink: true }, tie('file'), tie('link'), tie('directory')),
    file: fc.record(
      { type: fc.constant('regular'), executable: fc.boolean(), contents: bytes({ maxLength: 40 }) },
      plain,
    ),
    link: fc.record(
      {
        type: fc.constant('symlink'),
        target: bytes({ minLength: 1, maxLength: 12, except: '\0' }),
      },
      plain,
    ),
    directory: fc.record(
      {
        type: fc.constant('directory'),
        entries: fc.dictionary(
          bytes({ minLength: 1, maxLength: 6, except: '\0/' }).filter((name) => name !== '.' && name !== '..'),
          tie('tree'),
          { maxKeys: 4, ...plain },
        ),
      },
      plain,
    ),
  }),
).tree;
