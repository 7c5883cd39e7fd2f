/**
 * The ways from one path to another, drawn as a tree.
 *
 * Source: Nix 2.35 nix/why-depends.cc.
 */

import type { Mention } from '../../formats/mentions.ts';
import { hashPart, printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { BRANCHES } from '../query/tree.ts';
import type { Ways } from './ways.ts';

export interface DrawingOptions {
  /** All ways, and not only a shortest one. */
  readonly all: boolean;
  /** Whether a person looks at it: with colours, and no control characters of others. */
  readonly isTerminal: boolean;
  /** Where a path names these references; asked where the files are to be shown. */
  readonly mentionsOf?: ((path: StorePath, references: readonly StorePath[]) => Promise<Mentions>) | undefined;
}

export type Mentions = ReadonlyMap<StorePath, readonly Mention[]>;

/** A path whose references are being drawn. */
interface Frame {
  readonly path: StorePath;
  readonly pad: string;
  readonly references: readonly StorePath[];
  readonly mentions: Mentions;
  next: number;
}

const COLOURS = { end: '\x1b[32;1m', other: '\x1b[34;1m', seen: '\x1b[38;5;244m', none: '\x1b[0m' } as const;

/** Lines as byte strings, since names of files need not be text: one character a byte. */
export async function* drawWays(storeDir: StoreDir, ways: Ways, options: DrawingOptions): AsyncGenerator<string> {
  const drawing = new Drawing(storeDir, ways, options);
  for await (const line of drawing.lines()) yield options.isTerminal ? line : line.replaceAll(ANSI, '');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins what colours
const ANSI = /\x1b\[[0-9;]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f\x7f]/g;
const UNPRINTABLE = /[^\x20-\x7e]/g;
const ARROW = bytesOf('→ ');
const ELLIPSIS = bytesOf('…');

class Drawing {
  readonly #storeDir: StoreDir;
  readonly #ways: Ways;
  readonly #options: DrawingOptions;
  readonly #visited = new Set<StorePath>();
  /** Innermost last. */
  readonly #frames: Frame[] = [];

  constructor(storeDir: StoreDir, ways: Ways, options: DrawingOptions) {
    this.#storeDir = storeDir;
    this.#ways = ways;
    this.#options = options;
  }

  async *lines(): AsyncGenerator<string> {
    const { from } = this.#ways;
    const { mentionsOf } = this.#options;
    yield mentionsOf ? this.#colour(from, '') : printStorePath(this.#storeDir, from);
    await this.#open(from, '');
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      const reference = frame.references[frame.next++];
      if (reference === undefined) this.#frames.pop();
      else {
        yield* this.#drawReference(frame, reference);
        if (this.#isEnd(reference)) return;
      }
    }
  }

  /** A shortest way ends where it has arrived. */
  #isEnd(path: StorePath): boolean {
    const { from, to } = this.#ways;
    return path === to && !this.#options.all && from !== to;
  }

  async *#drawReference(frame: Frame, reference: StorePath): AsyncGenerator<string> {
    const { all, mentionsOf } = this.#options;
    const isLast = !all || frame.next === frame.references.length;
    const branch = isLast ? BRANCHES.last : BRANCHES.middle;
    const below = frame.pad + bytesOf(branch.below);
    const mentions = frame.mentions.get(reference) ?? [];
    for (const [index, mention] of (all ? mentions : mentions.slice(0, 1)).entries()) {
      yield `${index === 0 ? frame.pad + bytesOf(branch.entry) : below}${this.#describe(mention)}`;
    }
    if (mentionsOf) yield `${below}${this.#colour(reference, ARROW)}`;
    else {
      yield `${frame.pad}${this.#colour(reference, bytesOf(branch.entry))}`;
      this.#visited.add(frame.path);
    }
    if (!this.#isEnd(reference)) await this.#open(reference, below);
  }

  async #open(path: StorePath, pad: string): Promise<void> {
    if (this.#visited.has(path)) return;
    const { all, mentionsOf } = this.#options;
    if (mentionsOf) this.#visited.add(path);
    const references = this.#ways.next(path);
    const shown = all ? references : references.slice(0, 1);
    const mentions = (await mentionsOf?.(path, shown)) ?? new Map();
    this.#frames.push({ path, pad, references: shown, mentions, next: 0 });
  }

  /** Grey where it has been drawn with all that hangs on it. */
  #colour(path: StorePath, mark: string): string {
    const seen = this.#visited.has(path) ? COLOURS.seen : '';
    return `${seen}${mark}${printStorePath(this.#storeDir, path)}${COLOURS.none}`;
  }

  #describe({ file, kind, before, hash, after }: Mention): string {
    const colour = hash === hashPart(this.#ways.to) ? COLOURS.end : COLOURS.other;
    const marked = `${colour}${hash}${COLOURS.none}`;
    if (kind === 'target')
      return `${this.#harmless(file)} -> ${this.#harmless(before)}${marked}${this.#harmless(after)}`;
    const [start, end] = [before, after].map((text) => text.replace(UNPRINTABLE, '.'));
    return `${this.#harmless(file)}: ${ELLIPSIS}${start}${marked}${end}${ELLIPSIS}`;
  }

  /** A name can hold escape sequences; a terminal shall not obey them. */
  #harmless(text: string): string {
    return this.#options.isTerminal ? text.replace(CONTROL, '?') : text;
  }
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}
