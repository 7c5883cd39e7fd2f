/**
 * The worker protocol, which Nix speaks with its daemon: versions and operations.
 *
 * Source: Nix 2.35 libstore/worker-protocol.hh.
 */

/** What both sides can do. The major version is 1. */
export interface WorkerVersion {
  readonly minor: number;
  /** From 1.38 on what is new has a name and no number. */
  readonly features: ReadonlySet<string>;
}

export const CLIENT_MAGIC = 0x6e697863;
export const SERVER_MAGIC = 0x6478696f;

/** Realisations name the path of their derivation, and travel as they are; before they were JSON. */
export const REALISATION_WITH_PATH = 'realisation-with-path-not-hash';

/** What is spoken here at best. */
export const WORKER_VERSION: WorkerVersion = { minor: 38, features: new Set([REALISATION_WITH_PATH]) };
/** What is spoken here at least: contents come in frames from then on. Nix 2.3 has 1.21, and 2.4 has 1.32. */
export const OLDEST_MINOR = 23;

/** Operations, each by its number. */
export const WORKER_OPERATIONS = {
  isValidPath: 1,
  queryReferrers: 6,
  addToStore: 7,
  buildPaths: 9,
  ensurePath: 10,
  addTempRoot: 11,
  addIndirectRoot: 12,
  findRoots: 14,
  setOptions: 19,
  collectGarbage: 20,
  queryAllValidPaths: 23,
  queryPathInfo: 26,
  queryPathFromHashPart: 29,
  queryValidPaths: 31,
  querySubstitutablePaths: 32,
  queryValidDerivers: 33,
  optimiseStore: 34,
  verifyStore: 35,
  buildDerivation: 36,
  addSignatures: 37,
  narFromPath: 38,
  addToStoreNar: 39,
  queryMissing: 40,
  queryDerivationOutputMap: 41,
  registerDrvOutput: 42,
  queryRealisation: 43,
  addMultipleToStore: 44,
  addBuildLog: 45,
  buildPathsWithResults: 46,
  addPermRoot: 47,
} as const;
export type WorkerOperation = keyof typeof WORKER_OPERATIONS;
