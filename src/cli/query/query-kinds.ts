/**
 * What `sluice query` can be asked, one entry a flag.
 *
 * Source: Nix 2.35 nix-store/nix-store.cc, opQuery.
 */
import { printHash } from '../../formats/hash.ts';
import { type PathInfos, referencesFirst } from '../../formats/references-first.ts';
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import { findRoots } from '../../scheduler/find-roots.ts';
import type { Settings } from '../../settings.ts';
import type { Store } from '../../stores/store.ts';
import type { Step } from '../../stores/store-queries.ts';
import { dotLines, graphmlLines } from './graphs.ts';
import { bindingOf, closureInfosOf, infosOf, knownOf, localOnly, outputsOf, requireAll } from './questions.ts';
import { treeLines } from './tree.ts';

export interface Question {
  readonly store: Store;
  /** As they were named. */
  readonly paths: readonly StorePath[];
  /** The same, where `--use-output` says so with outputs in the place of derivations. */
  readonly resolved: readonly StorePath[];
  readonly includeOutputs: boolean;
  readonly settings: Settings;
}

export interface Answer {
  /** One after the other, as `nix-store --query` prints them. */
  readonly lines: Iterable<string>;
  /** What `--json` prints; where it is missing, the lines as an array. */
  readonly json?: () => unknown;
}

export interface QueryKind {
  /** As commander wants them. */
  readonly flags: string;
  readonly help: string;
  readonly ask: (question: Question) => Promise<Answer>;
  /** It is about the paths as they were named, which `--use-output` and `--force-realise` do not change. */
  readonly asNamed?: true;
}

/** In the order in which help lists them. */
export const QUERY_KINDS: readonly QueryKind[] = [
  { flags: '--outputs', help: 'outputs of derivations; what is asked where no other flag is given', ask: outputs },
  {
    flags: '-R, --requisites',
    help: 'all that the paths refer to, directly or not, and they themselves',
    ask: requisites,
  },
  { flags: '--references', help: 'what the paths refer to', ask: references },
  { flags: '--referrers', help: 'what refers to the paths', ask: referrers },
  {
    flags: '--referrers-closure',
    help: 'all that refers to the paths, directly or not, and they themselves',
    ask: referrersClosure,
  },
  { flags: '-d, --deriver', help: 'the derivation that made each path', ask: derivers, asNamed: true },
  {
    flags: '--valid-derivers',
    help: 'all valid derivations that have one of the paths as an output',
    ask: validDerivers,
    asNamed: true,
  },
  { flags: '--roots', help: 'what keeps the paths from being collected, as LINK -> PATH', ask: roots },
  { flags: '--hash', help: 'the hash of each NAR', ask: hashes },
  { flags: '--size', help: 'the size of each NAR, in bytes', ask: sizes },
  { flags: '--tree', help: 'the closures, drawn as trees', ask: tree, asNamed: true },
  { flags: '--graph', help: 'the closures, as a graph for dot', ask: graph },
  { flags: '--graphml', help: 'the closures, as GraphML', ask: graphml },
  {
    flags: '--resolve',
    help: 'the paths themselves, in full',
    ask: async ({ store, paths }) => list(store, paths),
    asNamed: true,
  },
];

/** The values of a variable of derivations, one a line; what is no derivation stands for the one that made it. */
export function bindingKind(name: string): QueryKind {
  return { flags: '-b, --binding <name>', help: '', ask: (question) => bindings(name, question), asNamed: true };
}

async function bindings(name: string, { store, paths }: Question): Promise<Answer> {
  const local = localOnly(store, '--binding');
  const values = new Map<StorePath, string>();
  for (const path of paths) values.set(path, await bindingOf(local, path, name));
  return eachPath(store, paths, (path) => values.get(path)!, String);
}

async function outputs({ store, paths }: Question): Promise<Answer> {
  const found: StorePath[] = [];
  for (const path of paths) found.push(...(await outputsOf(store, path)));
  return list(store, found);
}

async function requisites({ store, resolved, includeOutputs }: Question): Promise<Answer> {
  if (!includeOutputs) return sortedList(store, await closureInfosOf(store, resolved));
  const infos = await localOnly(store, '--include-outputs').queryClosure(resolved, ['references', 'outputs']);
  requireAll(store, resolved, infos);
  return sortedList(store, infos);
}

async function references({ store, resolved }: Question): Promise<Answer> {
  const infos = await infosOf(store, resolved);
  const found = new Set([...infos.values()].flatMap((info) => info.references));
  return sortedList(store, await knownOf(store, found));
}

async function referrers({ store, resolved }: Question): Promise<Answer> {
  return sortedList(store, await localOnly(store, '--referrers').queryStep(resolved, 'referrers'));
}

/** A path that is not valid has nothing that refers to it, but stands for itself: so says Nix. */
async function referrersClosure({ store, resolved }: Question): Promise<Answer> {
  const infos = await localOnly(store, '--referrers-closure').queryClosure(resolved, ['referrers']);
  return sortedList(store, infos, resolved);
}

async function derivers({ store, paths }: Question): Promise<Answer> {
  const infos = await infosOf(store, paths);
  const deriverOf = (path: StorePath): string | null => {
    const { deriver } = infos.get(path)!;
    return deriver === undefined ? null : printStorePath(store.storeDir, deriver);
  };
  return eachPath(store, paths, deriverOf, (deriver) => deriver ?? 'unknown-deriver');
}

async function validDerivers({ store, paths }: Question): Promise<Answer> {
  const found = await localOnly(store, '--valid-derivers').queryValidDerivers(paths);
  return sortedList(store, await knownOf(store, found));
}

/** Roots of the paths, and of all whose being kept keeps them. */
async function roots({ store, resolved, settings }: Question): Promise<Answer> {
  const local = localOnly(store, '--roots');
  const { keepOutputs, keepDerivations } = settings;
  const back = ['referrers', ...(keepOutputs ? ['derivers'] : []), ...(keepDerivations ? ['outputs'] : [])] as Step[];
  const infos = await local.queryClosure(resolved, back);
  const rows = (await findRoots({ store: local, settings }))
    .filter(({ path }) => infos.has(path) || resolved.includes(path))
    .map(({ from, path, kind }) => ({ from, path: printStorePath(store.storeDir, path), kind }));
  return { lines: new Set(rows.map(({ from, path }) => `${from} -> ${path}`).sort()), json: () => rows };
}

async function hashes({ store, resolved }: Question): Promise<Answer> {
  const infos = await infosOf(store, resolved);
  return eachPath(store, resolved, (path) => printHash(infos.get(path)!.narHash, 'nix32'), String);
}

async function sizes({ store, resolved }: Question): Promise<Answer> {
  const infos = await infosOf(store, resolved);
  return eachPath(store, resolved, (path) => infos.get(path)!.narSize, String);
}

async function tree({ store, paths }: Question): Promise<Answer> {
  const infos = await closureInfosOf(store, paths);
  return { lines: treeLines(store.storeDir, paths, infos), json: () => graphJson(store, infos) };
}

async function graph({ store, resolved }: Question): Promise<Answer> {
  const infos = await closureInfosOf(store, resolved);
  return { lines: dotLines(resolved, infos), json: () => graphJson(store, infos) };
}

async function graphml({ store, resolved }: Question): Promise<Answer> {
  const infos = await closureInfosOf(store, resolved);
  return { lines: graphmlLines(resolved, infos), json: () => graphJson(store, infos) };
}

function list({ storeDir }: Store, paths: readonly StorePath[]): Answer {
  return { lines: paths.map((path) => printStorePath(storeDir, path)) };
}

/** References first; `others` as well, where nothing is known of them. */
function sortedList(store: Store, infos: PathInfos, others: readonly StorePath[] = []): Answer {
  const sorted = referencesFirst([...infos.keys(), ...others], infos, () => true);
  return list(store, sorted);
}

function eachPath<Value>(
  { storeDir }: Store,
  paths: readonly StorePath[],
  answerOf: (path: StorePath) => Value,
  print: (value: Value) => string,
): Answer {
  return {
    lines: paths.map((path) => print(answerOf(path))),
    json: () => Object.fromEntries(paths.map((path) => [printStorePath(storeDir, path), answerOf(path)])),
  };
}

/** What each path refers to. */
function graphJson({ storeDir }: Store, infos: PathInfos): object {
  const print = (path: StorePath): string => printStorePath(storeDir, path);
  const entries = [...infos.values()].map(({ path, references }) => [print(path), references.map(print)]);
  return Object.fromEntries(entries.sort()) as object;
}
