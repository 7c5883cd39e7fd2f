/**
 * The parameters in the URI of a store elsewhere, as in `ssh-ng://host?ssh-key=/root/.ssh/id&max-connections=4`.
 *
 * Source: Nix 2.35 manual, "SSH Store", "Experimental SSH Store", "Local Daemon Store". Those of timeouts are not in Nix.
 */
import { UsageError } from '../../errors.ts';
import type { StoreDir } from '../../formats/store-path.ts';
import { printStoreReference, type StoreReference, withoutCredentials } from '../../formats/store-reference.ts';
import type { Settings } from '../../settings.ts';
import { HTTP_PARAMS, overruleSettings } from '../http/params.ts';
import { booleanParam, checkParams, integerParam, storeDirParam } from '../store-params.ts';

export interface RemoteOptions {
  /** Fit for messages. */
  readonly uri: string;
  /** Opens it again. */
  readonly openUri: string;
  readonly storeDir: StoreDir;
  /** Connections at once. */
  readonly maxConnections: number;
  /** Whether paths are taken from it without a signature. */
  readonly trusted: boolean;
  /** Of these the timeouts are used. */
  readonly settings: Settings;
}

/** What concerns timeouts. */
const TIMEOUTS = HTTP_PARAMS.filter((name) => name.endsWith('-timeout'));
/** Nix has more that say nothing here: there are such URIs, and they work. */
const IGNORED = [
  'log-fd',
  'max-connection-age',
  'path-info-cache-size',
  'priority',
  'system-features',
  'want-mass-query',
];
/** The parameters that tell stores apart; the others are about how one is used. */
const LOCATING: ReadonlySet<string> = new Set(['remote-store', 'store']);
const COMMON = ['max-connections', 'store', 'trusted', ...TIMEOUTS, ...IGNORED];

/**
 * @param own - what only this kind of store knows.
 * @throws {UsageError} on a parameter that is not known, or makes no sense.
 */
export function parseRemoteParams(
  reference: StoreReference,
  settings: Settings,
  own: readonly string[] = [],
): RemoteOptions {
  checkParams(reference, [...own, ...COMMON]);
  const { params } = reference;
  const maxConnections = integerParam(params, 'max-connections') ?? 1;
  if (maxConnections < 1) throw new UsageError(`store parameter 'max-connections' wants at least 1`);
  const openUri = printStoreReference(reference);
  const locating = Object.fromEntries(Object.entries(params).filter(([name]) => LOCATING.has(name)));
  return {
    uri: withoutCredentials(printStoreReference({ ...reference, params: locating })),
    openUri,
    storeDir: storeDirParam(params),
    maxConnections,
    trusted: booleanParam(params, 'trusted') ?? false,
    settings: overruleSettings(params, settings),
  };
}
