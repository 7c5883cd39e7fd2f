/** The phases of the demonstration. Each leaves its results in files below one directory, and tells what it found. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EventEmitter } from 'eventemitter3';
import { StoreError } from '../../errors.ts';
import type { NarInfo } from '../../formats/narinfo.ts';
import { makeSecretKey, printPublicKey, printSecretKey, publicKeyOf } from '../../formats/signature.ts';
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import type { SchedulerEvents } from '../../goals/events.ts';
import { copyClosure } from '../../scheduler/copy-closure.ts';
import { type RealiseResult, Scheduler } from '../../scheduler/scheduler.ts';
import { verifyStore } from '../../scheduler/verify-store.ts';
import type { Settings } from '../../settings.ts';
import { BinaryCacheStore } from '../../stores/binary-cache-store.ts';
import { openLocalStoreAt, openStore } from '../../stores/open-store.ts';
import type { Work } from '../command.ts';
import { readNpmPackages } from './npm-packages.ts';
import { addPackages } from './package-store.ts';
import { startStaticServer } from './static-server.ts';

/** What all phases work with. */
export interface Demo {
  /** Holds what stays: {@link cacheOf}, {@link storeOf}. */
  readonly directory: string;
  /** Holds what is of no use after the first two phases. */
  readonly scratch: string;
  readonly settings: Settings;
  readonly work: Work;
}

/** The directory of the binary cache. */
export function cacheOf(directory: string): string {
  return join(directory, 'cache');
}

/** The root of the store that is substituted into. */
export function storeOf(directory: string): string {
  return join(directory, 'store');
}

export interface Made {
  /** The `node_modules` that everything comes from. */
  readonly nodeModules: string;
  /** The path that refers to all others. */
  readonly top: StorePath;
  /** The same, in full. */
  readonly printedTop: string;
  readonly paths: number;
  readonly narBytes: number;
}

/** Makes a store of the installed npm packages. */
export async function makeStore({ scratch, settings, work: { signal } }: Demo): Promise<Made> {
  const nodeModules = installedPackages();
  const packages = await readNpmPackages(nodeModules);
  const trees = join(scratch, 'trees');
  await mkdir(trees);
  // It is gone within seconds: nothing of it has to outlive a power cut.
  const quick = { ...settings, fsyncMetadata: false, fsyncStorePaths: false };
  await using store = await openLocalStoreAt(sourceOf(scratch), quick);
  const top = await addPackages({ store, packages, scratch: trees, settings, signal });
  const paths = await store.queryAllValidPaths();
  const infos = await Promise.all(paths.map((path) => store.queryPathInfo(path)));
  const narBytes = infos.reduce((sum, info) => sum + info!.narSize, 0);
  return { nodeModules, top, printedTop: printStorePath(store.storeDir, top), paths: paths.length, narBytes };
}

export interface Cached {
  /** Of the key that has signed the cache. */
  readonly publicKey: string;
  /** Sum of what the compressed NARs take. */
  readonly fileBytes: number;
}

/** Copies the store into a signed binary cache. */
export async function makeCache({ directory, scratch, settings, work }: Demo, top: StorePath): Promise<Cached> {
  const key = await makeSecretKey('sluice-demo-1', randomBytes(32));
  const keyFile = join(scratch, 'secret.key');
  await writeFile(keyFile, printSecretKey(key), { mode: 0o600 });
  const signing = { ...settings, secretKeyFiles: [keyFile] };
  await using from = await openLocalStoreAt(sourceOf(scratch), settings);
  await using to = await openStore(`file://${encodeURI(cacheOf(directory))}?compression=zstd`, signing);
  if (!(to instanceof BinaryCacheStore)) throw new Error('unreachable: file:// is a binary cache');
  const events = new EventEmitter<SchedulerEvents>();
  check(await copyClosure({ from, to, paths: [top], settings: signing, events, signal: work.signal }));
  const infos = await Promise.all((await from.queryAllValidPaths()).map((path) => to.queryPathInfo(path)));
  const fileBytes = infos.reduce((sum, info: NarInfo | undefined) => sum + (info?.fileSize ?? 0), 0);
  return { publicKey: printPublicKey(publicKeyOf(key)), fileBytes };
}

/** The main job: makes everything valid in a fresh store, from the cache, over HTTP, with the progress display. */
export async function substitute(
  { directory, settings, work }: Demo,
  top: StorePath,
  publicKey: string,
): Promise<void> {
  await using server = await startStaticServer(cacheOf(directory));
  await using scheduler = await Scheduler.open({
    store: storeOf(directory),
    substituters: [server.url],
    settings: { ...settings, requireSigs: true, trustedPublicKeys: [publicKey] },
  });
  const { store, events } = scheduler;
  work.reporter.follow(events, { storeDir: store.storeDir, to: store.uri });
  check(await scheduler.realise([top], { signal: work.signal }));
  work.reporter[Symbol.dispose](); // what comes to a sum in the end says more than the reporter's line
}

/** Reads and hashes all that was substituted. @returns how many paths there were. */
export async function verify({ directory, settings, work: { reporter, signal } }: Demo): Promise<number> {
  await using store = await openLocalStoreAt(storeOf(directory), settings);
  const { checked, problems } = await verifyStore({
    store,
    contents: true,
    settings,
    signal,
    onProgress: (view) => reporter.showCheck(view),
  });
  reporter[Symbol.dispose]();
  if (problems.length > 0) throw problems[0]!.problem;
  return checked;
}

function sourceOf(scratch: string): string {
  return join(scratch, 'source');
}

/** In a checkout `node_modules` beside package.json; where sluice is installed itself, the one that it is in. */
function installedPackages(): string {
  const root = resolve(import.meta.dirname, '../../..'); // from src/cli/demo, and from what is built: dist/src/cli
  return basename(dirname(root)) === 'node_modules' ? dirname(root) : join(root, 'node_modules');
}

function check(results: readonly RealiseResult[]): void {
  for (const result of results) {
    if (result.state === 'succeeded') continue;
    throw 'failure' in result ? result.failure : new StoreError(`'${result.path}' ended as ${result.state}`);
  }
}
