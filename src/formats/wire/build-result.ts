/**
 * Build results on the wire: what both protocols have in common.
 *
 * Source: Nix 2.35 libstore/worker-protocol.cc, serve-protocol.cc, common-protocol.cc.
 */
import { FormatError } from '../../errors.ts';
import { BUILD_STATUSES, type BuildResult, type BuildStatus, type Realisation } from '../build-result.ts';
import { quote } from '../quote.ts';
import { parseBaseName, type StoreDir } from '../store-path.ts';
import {
  type Reading,
  readBoolean,
  readInteger,
  readList,
  readMap,
  readMessage,
  readString,
  wireError,
} from './read.ts';
import { readStorePath, writeStorePath } from './store-paths.ts';
import type { WireWriter } from './write.ts';

/** What of a result the negotiated version has. */
export interface BuildResultShape {
  /** How often it was built, and when. */
  readonly times: boolean;
  readonly cpu: boolean;
  /** How outputs are told: `json` by an id, each with an object that holds what is known of it. */
  readonly outputs: 'none' | 'json' | 'paths';
}

/** Outputs of one derivation. */
const MAX_OUTPUTS = 65_536;
/** In front of an output's name where only that is ever read: the hash of the derivation, which is not known. */
const UNKNOWN_ID = `sha256:${'0'.repeat(64)}`;

/** @throws {FormatError} on a status that is not known. */
export function* readBuildStatus(): Reading<BuildStatus> {
  const number = yield* readInteger();
  const status = BUILD_STATUSES[number];
  if (status === undefined) throw wireError(`a build status of ${number}`);
  return status;
}

/** @throws {FormatError} on what is no result. */
export function* readBuildResult(storeDir: StoreDir, shape: BuildResultShape): Reading<BuildResult> {
  const status = yield* readBuildStatus();
  const message = yield* readMessage();
  const [timesBuilt, isNonDeterministic, startTime, stopTime] = shape.times
    ? [yield* readInteger(), yield* readBoolean(), yield* readInteger(), yield* readInteger()]
    : [0, false, 0, 0];
  const [cpuUser, cpuSystem] = shape.cpu ? [yield* readOptionalInteger(), yield* readOptionalInteger()] : [];
  const builtOutputs = yield* readOutputs(storeDir, shape.outputs);
  return { status, message, timesBuilt, isNonDeterministic, startTime, stopTime, cpuUser, cpuSystem, builtOutputs };
}

export function writeBuildResult(
  to: WireWriter,
  storeDir: StoreDir,
  result: BuildResult,
  { times, cpu, outputs }: BuildResultShape,
): void {
  to.integer(BUILD_STATUSES.indexOf(result.status)).string(result.message);
  if (times) {
    to.integer(result.timesBuilt).boolean(result.isNonDeterministic);
    to.integer(result.startTime).integer(result.stopTime);
  }
  if (cpu) {
    for (const value of [result.cpuUser, result.cpuSystem]) {
      if (value === undefined) to.integer(0);
      else to.integer(1).integer(value);
    }
  }
  if (outputs === 'none') return;
  to.list([...result.builtOutputs].sort(), ([name, { outPath, signatures }]) => {
    if (outputs === 'json') {
      const id = `${UNKNOWN_ID}!${name}`;
      to.string(id).string(JSON.stringify({ dependentRealisations: {}, id, outPath, signatures }));
    } else {
      to.string(name);
      writeStorePath(to, storeDir, outPath);
      to.strings(signatures);
    }
  });
}

function* readOptionalInteger(): Reading<number | undefined> {
  return (yield* readInteger(1, 'tag')) === 0 ? undefined : yield* readInteger();
}

function* readOutputs(storeDir: StoreDir, shape: BuildResultShape['outputs']): Reading<Map<string, Realisation>> {
  switch (shape) {
    case 'none':
      return new Map();
    case 'paths':
      return yield* readMap(() => readRealisation(storeDir), MAX_OUTPUTS);
    case 'json': {
      const texts = yield* readMap(() => readString(), MAX_OUTPUTS);
      return new Map([...texts].map(([id, json]) => [outputName(id), parseRealisation(json)]));
    }
  }
}

function* readRealisation(storeDir: StoreDir): Reading<Realisation> {
  return { outPath: yield* readStorePath(storeDir), signatures: yield* readList(() => readString(), MAX_OUTPUTS) };
}

/** `sha256:…!out` is the output `out` of a derivation with this hash. */
function outputName(id: string): string {
  const mark = id.indexOf('!');
  if (mark < 0) throw wireError(`${quote(id)} names no output of a derivation`);
  return id.slice(mark + 1);
}

function parseRealisation(json: string): Realisation {
  const { outPath, signatures = [] } = parseObject(json);
  if (typeof outPath !== 'string') throw wireError(`${quote(json)} has no 'outPath'`);
  if (!Array.isArray(signatures)) throw wireError(`the signatures in ${quote(json)} are no list`);
  return { outPath: parseBaseName(outPath), signatures: signatures.filter((each) => typeof each === 'string') };
}

function parseObject(json: string): { readonly outPath?: unknown; readonly signatures?: unknown } {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    throw new FormatError('message', 0, `${quote(json)} is no JSON`, { cause });
  }
  throw wireError(`${quote(json)} is no object`);
}
