/** The embedding API of Sluice. What is not named here may change at any time. */
export * from './errors.ts';
export { type ContentAddress, parseContentAddress, printContentAddress } from './formats/content-address.ts';
export { type DerivedPath, parseDerivedPath, printDerivedPath } from './formats/derived-path.ts';
export { type Hash, parseHash, printHash } from './formats/hash.ts';
export type { NarInfo } from './formats/narinfo.ts';
export { fingerprint, type PathInfo } from './formats/path-info.ts';
export {
  hashPart,
  parseBaseName,
  parseStoreDir,
  parseStorePath,
  pathName,
  printStorePath,
  type StoreDir,
  type StorePath,
} from './formats/store-path.ts';
export type { BuildView, SchedulerEvents, TransferView } from './goals/events.ts';
export type { GoalResult } from './goals/goal.ts';
export { readNixConf } from './nix-conf/read-nix-conf.ts';
export type { Timings } from './pool/messages.ts';
export { type BuildOutcome, exitStatusOf } from './scheduler/build-outcome.ts';
export {
  type BuildOptions,
  type RealiseOptions,
  type RealiseResult,
  Scheduler,
  type SchedulerOptions,
} from './scheduler/scheduler.ts';
export { makeSettings, parseSetting, SETTINGS, type SettingName, type Settings } from './settings.ts';
export { LocalStore } from './stores/local-store.ts';
export { openStore } from './stores/open-store.ts';
export type { NarSource, Sink, Store } from './stores/store.ts';
