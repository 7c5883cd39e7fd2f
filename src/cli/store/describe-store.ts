/**
 * What a store is: where it lies, what it holds, what it says of itself.
 *
 * Source: Nix 2.35 nix/store-info.cc, for the first fields.
 */
import { statfs } from 'node:fs/promises';
import { BinaryCacheStore } from '../../stores/binary-cache-store.ts';
import type { LocalStore } from '../../stores/local-store.ts';
import { isRemoteStore, type RemoteStore } from '../../stores/remote-store.ts';
import { SCHEMA_VERSION } from '../../stores/schema.ts';
import type { Store } from '../../stores/store.ts';
import { formatBytes } from '../progress/units.ts';
import { isLocal } from '../query/questions.ts';

/** Names as in JSON; sizes in bytes. What a store cannot say is missing. */
export interface StoreDescription {
  readonly url: string;
  readonly storeDir: string;
  /** Whether one may do to it what needs trust. */
  readonly trusted?: boolean;
  /** Of the Nix that is behind it. */
  readonly version?: string;
  readonly writable?: boolean;
  /** Of the database. */
  readonly schema?: number;
  readonly stateDir?: string;
  readonly realStoreDir?: string;
  readonly validPaths?: number;
  readonly narSize?: number;
  /** On the file system of the store, for ordinary users, and all of it. */
  readonly diskFree?: number;
  readonly diskSize?: number;
  /** Of a binary cache: the lower, the earlier it is asked. */
  readonly priority?: number;
  readonly wantMassQuery?: boolean;
}

/** Asks a store; that it can be used at all is part of the question. */
export async function describeStore(store: Store): Promise<StoreDescription> {
  const common = { url: store.uri, storeDir: store.storeDir };
  if (isLocal(store)) return { ...common, ...(await describeLocal(store)) };
  if (store instanceof BinaryCacheStore) return { ...common, ...(await describeCache(store)) };
  if (isRemoteStore(store)) return { ...common, ...(await describeRemote(store)) };
  return common;
}

async function describeLocal(store: LocalStore): Promise<Omit<StoreDescription, 'url' | 'storeDir'>> {
  const { writable } = await store.open();
  const { paths, narSize } = await store.queryTotals();
  const { bavail, blocks, bsize } = await statfs(store.realStoreDir);
  return {
    trusted: true, // whoever may open its database may do anything
    writable,
    schema: Number(SCHEMA_VERSION),
    stateDir: store.stateDir,
    realStoreDir: store.realStoreDir,
    validPaths: paths,
    narSize,
    diskFree: bavail * bsize,
    diskSize: blocks * bsize,
  };
}

async function describeRemote(store: RemoteStore): Promise<Omit<StoreDescription, 'url' | 'storeDir'>> {
  const { nixVersion, trustsUs } = await store.queryDaemon();
  return {
    ...(nixVersion !== undefined && { version: nixVersion }),
    ...(trustsUs !== undefined && { trusted: trustsUs }),
  };
}

/** What Nix takes where a cache does not say. */
const DEFAULT_PRIORITY = 50;

async function describeCache(store: BinaryCacheStore): Promise<Omit<StoreDescription, 'url' | 'storeDir'>> {
  const { priority = DEFAULT_PRIORITY, wantMassQuery } = await store.queryCacheInfo();
  return { priority, wantMassQuery };
}

/** Lines of `Name: value`, the first ones as Nix has them. */
export function descriptionLines(description: StoreDescription): string[] {
  const { url, version, storeDir, trusted, writable, schema, stateDir, realStoreDir } = description;
  const { validPaths, narSize, diskFree, diskSize, priority, wantMassQuery } = description;
  const size = (bytes: number): string => `${formatBytes(bytes)} (${bytes} bytes)`;
  const rows: readonly (readonly [string, string | number | undefined])[] = [
    ['Store URL', url],
    ['Version', version],
    ['Trusted', trusted === undefined ? undefined : Number(trusted)],
    [
      'Store directory',
      realStoreDir === undefined || realStoreDir === storeDir ? storeDir : `${storeDir}, in ${realStoreDir}`,
    ],
    ['State directory', stateDir],
    ['Writable', yesOrNo(writable)],
    ['Database schema', schema],
    ['Valid paths', validPaths],
    ['Size of their NARs', narSize === undefined ? undefined : size(narSize)],
    ['Free space', diskFree === undefined ? undefined : `${size(diskFree)} of ${formatBytes(diskSize ?? 0)}`],
    ['Priority', priority],
    ['Wants mass queries', yesOrNo(wantMassQuery)],
  ];
  return rows.filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}`);
}

function yesOrNo(value: boolean | undefined): string | undefined {
  return value === undefined ? undefined : value ? 'yes' : 'no';
}
