/**
 * The settings of nix.conf that this project knows: one table, from which come the flags of the command line, their
 * help, and the frozen value that is handed to whatever needs it. There are no globals.
 *
 * Source: Nix 2.35 manual, "nix.conf". A default that differs from Nix's says so and why.
 */
import { UsageError } from './errors.ts';

interface SettingSpec {
  readonly kind: 'boolean' | 'integer' | 'string' | 'strings';
  readonly default: boolean | number | string | readonly string[];
  readonly about: string;
}

/** By their nix.conf spelling. */
export const SETTINGS = {
  'connect-timeout': { kind: 'integer', default: 15, about: 'seconds to wait for a connection to a binary cache' },
  'download-speed': {
    kind: 'integer',
    default: 0,
    about: 'KiB/s that all downloads together may take; 0 means no limit',
  },
  fallback: { kind: 'boolean', default: false, about: 'build what could not be substituted' },
  'filetransfer-retry-attempts': {
    kind: 'integer',
    default: 5,
    about: 'how often a request is made that fails for a passing reason',
  },
  'filetransfer-retry-delay': {
    kind: 'integer',
    default: 100,
    about: 'milliseconds before the second attempt; they double from then on',
  },
  'filetransfer-retry-delay-rate-limited': {
    kind: 'integer',
    default: 5000,
    about: 'the same, where the server says that it is asked too often (429, 503)',
  },
  'filetransfer-retry-jitter': { kind: 'boolean', default: true, about: 'vary these delays at random' },
  'filetransfer-retry-max-delay': { kind: 'integer', default: 60_000, about: 'milliseconds that a delay is at most' },
  'fsync-metadata': {
    kind: 'boolean',
    default: true,
    about: 'write database changes through to disk before they count',
  },
  'fsync-store-paths': {
    kind: 'boolean',
    default: true,
    about: 'make contents durable before they are registered (Nix: false; here one syncfs does a whole batch)',
  },
  'http-connections': { kind: 'integer', default: 64, about: 'connections to one binary cache at once (Nix: 25)' },
  http2: { kind: 'boolean', default: true, about: 'speak HTTP/2 with servers that do' },
  'keep-going': { kind: 'boolean', default: false, about: 'go on with other paths when one fails' },
  'max-jobs': { kind: 'integer', default: 1, about: 'build slots' },
  'max-substitution-jobs': {
    kind: 'integer',
    default: 64,
    about: 'substitution slots: transfers under way at once (Nix: 16; here most of them only wait for the network)',
  },
  'narinfo-cache-meta-ttl': {
    kind: 'integer',
    default: 604_800,
    about: 'seconds for which what a binary cache says of itself is remembered',
  },
  'narinfo-cache-negative-ttl': {
    kind: 'integer',
    default: 3_600,
    about: 'seconds for which it is remembered that a binary cache lacks a path',
  },
  'narinfo-cache-positive-ttl': {
    kind: 'integer',
    default: 2_592_000,
    about: 'seconds for which it is remembered what a binary cache says of a path',
  },
  'narinfo-timeout': {
    kind: 'integer',
    default: 30,
    about: 'seconds for the whole answer to a question about a path (not in Nix)',
  },
  'netrc-file': {
    kind: 'string',
    default: '/etc/nix/netrc',
    about: 'file with user names and passwords for binary caches',
  },
  'path-info-cache-size': {
    kind: 'integer',
    default: 65_536,
    about: 'paths of each store of which what is known is kept in memory',
  },
  'require-sigs': {
    kind: 'boolean',
    default: true,
    about: 'accept only paths that a trusted key has signed, or that are content-addressed',
  },
  'secret-key-files': { kind: 'strings', default: [], about: 'files with keys that sign what is added' },
  'ssl-cert-file': {
    kind: 'string',
    default: '',
    about: 'file with the certificates of authorities to trust, in place of those of Node',
  },
  'stalled-download-timeout': { kind: 'integer', default: 300, about: 'seconds without a byte that end a download' },
  substitute: { kind: 'boolean', default: true, about: 'fetch from substituters at all' },
  substituters: { kind: 'strings', default: ['https://cache.nixos.org/'], about: 'stores to fetch from, in order' },
  'substitutions-use-build-slots': {
    kind: 'boolean',
    default: false,
    about: 'count transfers as builds, as Nix did before 2.16',
  },
  'trusted-public-keys': {
    kind: 'strings',
    default: ['cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY='],
    about: 'keys whose signatures count, as NAME:BASE64',
  },
  'trusted-substituters': { kind: 'strings', default: [], about: 'stores that those may use who are not trusted' },
  'user-agent-suffix': {
    kind: 'string',
    default: '',
    about: 'what is put after the name with which sluice introduces itself',
  },
  'worker-threads': {
    kind: 'integer',
    default: 0,
    about: 'threads that download, decompress, hash and unpack; 0 means one a core (not in Nix)',
  },
} as const;

export type SettingName = keyof typeof SETTINGS;

const specs: Readonly<Record<string, SettingSpec>> = SETTINGS;

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;
interface Kinds {
  readonly boolean: boolean;
  readonly integer: number;
  readonly string: string;
  readonly strings: readonly string[];
}

/** Every setting by its camelCase name. Plain data: it survives structured clone. */
export type Settings = { readonly [N in SettingName as CamelCase<N>]: Kinds[(typeof SETTINGS)[N]['kind']] };

/** The name of a setting in code: `max-jobs` is `maxJobs`. */
export function settingKey(name: SettingName): keyof Settings {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()) as keyof Settings;
}

/** The defaults, with `overrides` on top, frozen. */
export function makeSettings(overrides: Partial<Settings> = {}): Settings {
  const defaults = Object.entries(specs).map(([name, spec]) => [settingKey(name as SettingName), spec.default]);
  return Object.freeze({ ...Object.fromEntries(defaults), ...overrides }) as Settings;
}

/**
 * Reads the text of one setting, as nix.conf or a flag gives it.
 *
 * @returns a piece to hand to {@link makeSettings}.
 * @throws {UsageError} on an unknown name or a value of the wrong kind.
 */
export function parseSetting(name: string, text: string): Partial<Settings> {
  if (!Object.hasOwn(SETTINGS, name)) {
    throw new UsageError(`unknown setting '${name}'`, { hint: `known settings: ${Object.keys(SETTINGS).join(', ')}` });
  }
  const known = name as SettingName;
  return { [settingKey(known)]: parseValue(known, specs[known]!.kind, text) };
}

function parseValue(name: SettingName, kind: SettingSpec['kind'], text: string): SettingSpec['default'] {
  switch (kind) {
    case 'boolean':
      if (['true', 'yes', '1'].includes(text)) return true;
      if (['false', 'no', '0'].includes(text)) return false;
      throw new UsageError(`setting '${name}' wants true or false, got '${text}'`);
    case 'integer':
      if (!/^\d{1,15}$/.test(text)) throw new UsageError(`setting '${name}' wants a whole number, got '${text}'`);
      return Number(text);
    case 'strings':
      return text.split(/\s+/).filter((word) => word !== '');
    case 'string':
      return text;
  }
}
