/**
 * The parameters in the URI of a cache behind HTTP that overrule settings for it, as in
 * `https://cache?connect-timeout=3&retry-attempts=1`.
 *
 * Source: Nix 2.35 manual, "HTTP Binary Cache Store", retry-*. Those of timeouts and connections are not in Nix.
 */
import { UsageError } from '../../errors.ts';
import type { Settings } from '../../settings.ts';
import { integerParam, type Params } from '../store-params.ts';

/** By name: the setting that is overruled. */
const OVERRULED = {
  'connect-timeout': 'connectTimeout',
  'http-connections': 'httpConnections',
  'narinfo-timeout': 'narinfoTimeout',
  'retry-attempts': 'filetransferRetryAttempts',
  'retry-delay': 'filetransferRetryDelay',
  'retry-delay-rate-limited': 'filetransferRetryDelayRateLimited',
  'retry-max-delay': 'filetransferRetryMaxDelay',
  'stalled-download-timeout': 'stalledDownloadTimeout',
} as const satisfies Record<string, keyof Settings>;

/** The names that {@link overruleSettings} knows. */
export const HTTP_PARAMS: readonly string[] = Object.keys(OVERRULED);

/**
 * The settings for one cache.
 *
 * @throws {UsageError} on a value that makes no sense.
 */
export function overruleSettings(params: Params, settings: Settings): Settings {
  const overrides = Object.entries(OVERRULED).flatMap(([name, setting]) => {
    const value = integerParam(params, name);
    if (value === undefined) return [];
    if (value < 0) throw new UsageError(`store parameter '${name}' cannot be less than 0, got '${value}'`);
    return [[setting, value] as const];
  });
  return overrides.length === 0 ? settings : { ...settings, ...Object.fromEntries(overrides) };
}
