/**
 * How a connection of the worker protocol begins, seen from the client.
 *
 *     → magic, version           ← magic, version
 *     → features                 ← features               from 1.38 on
 *     → 0, 0                     ← Nix version             from 1.33 on
 *                                ← whether we are trusted  from 1.35 on
 *                                ← messages, the last of them
 *
 * Source: Nix 2.35 libstore/worker-protocol-connection.cc.
 */
import { type Reading, readInteger, readList, readMagic, readString, wireError } from '../wire/read.ts';
import { WireWriter } from '../wire/write.ts';
import { CLIENT_MAGIC, OLDEST_MINOR, SERVER_MAGIC, WORKER_VERSION, type WorkerVersion } from './version.ts';

const MAJOR = 1;
const MAX_FEATURES = 1_000;
/** In bytes, of a feature or a version. */
const MAX_NAME_LENGTH = 1_000;
const HAS_FEATURES = 38;

/** What a daemon says of itself. */
export interface DaemonInfo {
  /** Such as `2.8.0`. */
  readonly nixVersion: string | undefined;
  /** Whether it does what only trusted users may ask for; undefined where it does not say. */
  readonly trustsUs: boolean | undefined;
}

/** The first that a client says. */
export function writeHello(): Buffer {
  return new WireWriter()
    .integer(CLIENT_MAGIC)
    .integer(MAJOR * 256 + WORKER_VERSION.minor)
    .finish();
}

/**
 * The daemon's answer to it.
 *
 * @returns the minor version that both sides speak.
 * @throws {FormatError} on anything else than a daemon, and on one that is too old or too new.
 */
export function* readHello(): Reading<number> {
  yield* readMagic(SERVER_MAGIC, 'worker protocol');
  const version = yield* readInteger();
  const [major, minor] = [Math.floor(version / 256), version % 256];
  if (major !== MAJOR || minor < OLDEST_MINOR) {
    throw wireError(
      `it speaks version ${major}.${minor} of the worker protocol, wanted ${MAJOR}.${OLDEST_MINOR} or later`,
    );
  }
  return Math.min(minor, WORKER_VERSION.minor);
}

/** What the client says then. Nothing of it depends on the answer, but whether there are features. */
export function writeFeatures(minor: number): Buffer {
  const to = new WireWriter();
  if (minor >= HAS_FEATURES) to.strings([...WORKER_VERSION.features]);
  // A processor to run on, and whether to reserve space: nobody reads these any more.
  return to.integer(0).integer(0).finish();
}

/** The features that both sides have. */
export function* readFeatures(minor: number): Reading<WorkerVersion> {
  if (minor < HAS_FEATURES) return { minor, features: new Set() };
  const theirs = new Set(yield* readList(() => readString(MAX_NAME_LENGTH), MAX_FEATURES));
  return { minor, features: WORKER_VERSION.features.intersection(theirs) };
}

/** What the daemon says of itself; messages follow. */
export function* readDaemonInfo({ minor }: WorkerVersion): Reading<DaemonInfo> {
  const nixVersion = minor >= 33 ? yield* readString(MAX_NAME_LENGTH) : undefined;
  const trust = minor >= 35 ? yield* readInteger(2, 'trust') : 0;
  return { nixVersion, trustsUs: trust === 0 ? undefined : trust === 1 };
}
