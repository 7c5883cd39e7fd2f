/**
 * Whether the outputs of a build keep to what their derivation asks of them: their size, and what they refer to.
 *
 * Source: Nix 2.35 manual, "Advanced Attributes"; libstore/build/derivation-check.cc.
 */
import type { CheckedReference, OutputChecks, OutputChecksOf } from './derivation-options.ts';
import { quote } from './quote.ts';
import { printStorePath, type StoreDir, type StorePath } from './store-path.ts';

/** What is known of a store path. */
export interface CheckedPath {
  /** Bytes of its NAR. */
  readonly narSize: number;
  /** With its own path, where it refers to itself. */
  readonly references: readonly StorePath[];
}

/** An output that was built, and is not valid yet. */
export interface CheckedOutput extends CheckedPath {
  readonly path: StorePath;
}

/** What is known of all paths in the closures of the given ones, which are valid. */
export type QueryCheckedClosure = (
  paths: readonly StorePath[],
) => ReadonlyMap<StorePath, CheckedPath> | Promise<ReadonlyMap<StorePath, CheckedPath>>;

/** Each list, how it is meant, and whether it speaks of the closure. */
const LISTS = [
  { list: 'allowedReferences', allowed: true, recursive: false },
  { list: 'allowedRequisites', allowed: true, recursive: true },
  { list: 'disallowedReferences', allowed: false, recursive: false },
  { list: 'disallowedRequisites', allowed: false, recursive: true },
] as const;

/**
 * Says what is wrong with the outputs of a derivation, one message a problem; none where all is well.
 *
 * @param outputs - all that were built, by name.
 * @param queryClosure - asked once at most, and only where a check needs a closure, for what the outputs refer to.
 */
export async function findOutputProblems(
  storeDir: StoreDir,
  checks: OutputChecksOf,
  outputs: ReadonlyMap<string, CheckedOutput>,
  queryClosure: QueryCheckedClosure,
): Promise<readonly string[]> {
  const checked = Array.from(outputs, ([name, output]) => ({
    name,
    output,
    checks: checks.forAllOutputs ?? checks.perOutput.get(name),
  })).filter((each): each is typeof each & { readonly checks: OutputChecks } => each.checks !== undefined);
  const known = checked.some((each) => needsClosure(each.checks))
    ? await queryAll([...outputs.values()], queryClosure)
    : new Map<StorePath, CheckedPath>();
  return checked.flatMap(({ name, output, checks }) =>
    new OutputCheck(storeDir, { name, output, checks, outputs, known }).problems(),
  );
}

function needsClosure(checks: OutputChecks): boolean {
  const { maxClosureSize, allowedRequisites, disallowedRequisites } = checks;
  return maxClosureSize !== undefined || allowedRequisites !== undefined || disallowedRequisites.length > 0;
}

/** Outputs refer to each other, and only the rest is known to a store. */
async function queryAll(
  outputs: readonly CheckedOutput[],
  queryClosure: QueryCheckedClosure,
): Promise<ReadonlyMap<StorePath, CheckedPath>> {
  const own = new Map(outputs.map((output) => [output.path, output]));
  const others = outputs.flatMap(({ references }) => references).filter((path) => !own.has(path));
  return new Map<StorePath, CheckedPath>([...(await queryClosure([...new Set(others)])), ...own]);
}

interface Subject {
  readonly name: string;
  readonly output: CheckedOutput;
  readonly checks: OutputChecks;
  readonly outputs: ReadonlyMap<string, CheckedOutput>;
  /** All paths of the closure, where a check needs it. */
  readonly known: ReadonlyMap<StorePath, CheckedPath>;
}

/** The checks of one output. */
class OutputCheck {
  readonly #storeDir: StoreDir;
  readonly #subject: Subject;
  /** With the output itself; what it needs, and nothing before it is asked for. */
  #closure: ReadonlySet<StorePath> | undefined;

  constructor(storeDir: StoreDir, subject: Subject) {
    this.#storeDir = storeDir;
    this.#subject = subject;
  }

  problems(): string[] {
    const { checks } = this.#subject;
    const lists = LISTS.flatMap(({ list, allowed, recursive }) => {
      const specified = checks[list];
      // An empty list of what is allowed allows nothing.
      return specified === undefined ? [] : this.#listProblems(list, specified, { allowed, recursive });
    });
    return [...this.#sizeProblems(), ...lists];
  }

  #sizeProblems(): string[] {
    const { output, checks, known } = this.#subject;
    const path = this.#print(output.path);
    const problems: string[] = [];
    if (checks.maxSize !== undefined && output.narSize > checks.maxSize) {
      problems.push(`output '${path}' is too large: ${output.narSize} bytes, maxSize is ${checks.maxSize}`);
    }
    if (checks.maxClosureSize !== undefined) {
      let size = 0;
      for (const each of this.#requisites()) size += known.get(each)?.narSize ?? 0;
      if (size > checks.maxClosureSize) {
        problems.push(
          `the closure of output '${path}' is too large: ${size} bytes, maxClosureSize is ${checks.maxClosureSize}`,
        );
      }
    }
    return problems;
  }

  #listProblems(
    list: string,
    specified: readonly CheckedReference[],
    { allowed, recursive }: { readonly allowed: boolean; readonly recursive: boolean },
  ): string[] {
    if (!allowed && specified.length === 0) return [];
    const { name, output, checks, outputs } = this.#subject;
    const paths = new Set<StorePath>();
    for (const { path, output: other } of specified) {
      const named = path ?? outputs.get(other)?.path;
      if (named === undefined) {
        const names = [...outputs.keys()].join(', ');
        return [
          `${list} of output '${name}' has ${quote(other!)}, which is neither a store path nor one of its outputs (${names})`,
        ];
      }
      paths.add(named);
    }
    const used = recursive ? this.#requisites() : new Set(output.references);
    const bad = [...used].filter((path) => {
      if (recursive && checks.ignoreSelfRefs && path === output.path) return false;
      return paths.has(path) !== allowed;
    });
    if (bad.length === 0) return [];
    const shown = bad.sort().map((path) => `\n  ${this.#print(path)}`);
    const verb = recursive ? 'depend on' : 'refer to';
    return [`output '${this.#print(output.path)}' must not ${verb} these, by its ${list}:${shown.join('')}`];
  }

  #requisites(): ReadonlySet<StorePath> {
    if (this.#closure !== undefined) return this.#closure;
    const { output, known } = this.#subject;
    const found = new Set([output.path]);
    // A set is walked with what is added to it meanwhile.
    for (const path of found) for (const reference of known.get(path)?.references ?? []) found.add(reference);
    this.#closure = found;
    return found;
  }

  #print(path: StorePath): string {
    return printStorePath(this.#storeDir, path);
  }
}
