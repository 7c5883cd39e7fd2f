/**
 * The settings of nix.conf that this project knows, with their defaults, in one table.
 *
 * Source: Nix 2.35 manual, "nix.conf". A default that differs from Nix's says so and why.
 */

/** One row of {@link SETTINGS}. */
export interface SettingSpec {
  readonly kind: 'boolean' | 'integer' | 'string' | 'strings';
  readonly default: boolean | number | string | readonly string[];
  readonly about: string;
  /** Where only these are allowed. */
  readonly choices?: readonly string[];
  /** Older names that Nix still reads. */
  readonly aliases?: readonly string[];
}

/** By their nix.conf spelling. */
export const SETTINGS = {
  'allowed-impure-host-deps': {
    kind: 'strings',
    default: [],
    about: 'paths that a derivation may ask to see in its sandbox (__impureHostDeps), with all that is below them',
  },
  'always-allow-substitutes': {
    kind: 'boolean',
    default: false,
    about: 'substitute also what a derivation says is better built (allowSubstitutes)',
  },
  'auto-optimise-store': {
    kind: 'boolean',
    default: false,
    about: 'make files of paths that are added hard links to those with the same contents',
  },
  'build-dir': {
    kind: 'string',
    default: '',
    about: 'where the directories lie in which builders work; by default builds/ in the state directory',
  },
  'build-hook': {
    kind: 'string',
    default: '',
    about: 'a program, with arguments, that may build derivations elsewhere (Nix: nix __build-remote)',
  },
  'build-poll-interval': {
    kind: 'integer',
    default: 5,
    about: 'seconds before a build hook is asked again that has postponed',
  },
  'build-users-group': {
    kind: 'string',
    default: (process.getuid?.() === 0 ? 'nixbld' : '') as string,
    about: 'the group whose members run builders, where this runs as root',
  },
  builders: {
    kind: 'string',
    default: '@/etc/nix/machines',
    about: 'machines that build for this one, with ; or new lines between them, or @FILE',
  },
  'builders-use-substitutes': {
    kind: 'boolean',
    default: false,
    about: 'let these machines fetch inputs from their own substituters',
  },
  'compress-build-log': {
    kind: 'boolean',
    default: true,
    about: 'keep build logs in bzip2',
    aliases: ['build-compress-log'],
  },
  'connect-timeout': { kind: 'integer', default: 15, about: 'seconds to wait for a connection to a binary cache' },
  cores: {
    kind: 'integer',
    default: 0,
    about: 'cores that one builder may use (NIX_BUILD_CORES); 0 means all',
    aliases: ['build-cores'],
  },
  'diff-hook': {
    kind: 'string',
    default: '',
    about: 'a program that shows how two outputs differ: see run-diff-hook',
  },
  'download-speed': {
    kind: 'integer',
    default: 0,
    about: 'KiB/s that all downloads together may take; 0 means no limit',
  },
  'extra-platforms': { kind: 'strings', default: [], about: 'other systems whose derivations are built here' },
  fallback: {
    kind: 'boolean',
    default: false,
    about: 'build what could not be substituted',
    aliases: ['build-fallback'],
  },
  'filetransfer-retry-attempts': {
    kind: 'integer',
    default: 5,
    about: 'how often a request is made that fails for a passing reason',
    aliases: ['download-attempts'],
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
  'gc-reserved-space': {
    kind: 'integer',
    default: 8_388_608,
    about: 'bytes of disk kept for the collector, which needs some when the disk is full',
  },
  'hashed-mirrors': {
    kind: 'strings',
    default: [],
    about: 'web servers that have files by their hash, which builtin:fetchurl asks first',
  },
  'http-connections': {
    kind: 'integer',
    default: 64,
    about: 'connections to one binary cache at once (Nix: 25)',
    aliases: ['binary-caches-parallel-connections'],
  },
  http2: { kind: 'boolean', default: true, about: 'speak HTTP/2 with servers that do' },
  'ignored-acls': {
    kind: 'strings',
    default: ['security.csm', 'security.selinux', 'system.nfs4_acl'],
    about: 'extended attributes that outputs may keep, as they cannot be removed everywhere',
  },
  'keep-build-log': {
    kind: 'boolean',
    default: true,
    about: 'write what builders print to files',
    aliases: ['build-keep-log'],
  },
  'keep-derivations': {
    kind: 'boolean',
    default: true,
    about: 'do not collect the derivations of what is alive',
    aliases: ['gc-keep-derivations'],
  },
  'keep-failed': { kind: 'boolean', default: false, about: 'keep the build directory of a failed build' },
  'keep-going': { kind: 'boolean', default: false, about: 'go on with other paths when one fails' },
  'keep-outputs': {
    kind: 'boolean',
    default: false,
    about: 'do not collect the outputs of derivations that are alive',
    aliases: ['gc-keep-outputs'],
  },
  'log-lines': { kind: 'integer', default: 25, about: 'lines of the log that are shown of a failed build' },
  'max-build-log-size': {
    kind: 'integer',
    default: 0,
    about: 'bytes that a builder may print; 0 means no limit',
    aliases: ['build-max-log-size'],
  },
  'max-free': {
    kind: 'integer',
    default: 9_007_199_254_740_991,
    about: 'bytes free on the disk of the store at which a collection that min-free began ends',
  },
  'max-jobs': { kind: 'integer', default: 1, about: 'build slots; auto means one a core', aliases: ['build-max-jobs'] },
  'max-silent-time': {
    kind: 'integer',
    default: 0,
    about: 'seconds without a word of its builder that end a build; 0 means no limit',
    aliases: ['build-max-silent-time'],
  },
  'max-substitution-jobs': {
    kind: 'integer',
    default: 64,
    about: 'substitution slots: transfers under way at once (Nix: 16; here most of them only wait for the network)',
    aliases: ['substitution-max-jobs'],
  },
  'min-free': {
    kind: 'integer',
    default: 0,
    about: 'bytes free on the disk of the store below which transfers begin a collection; 0 means never',
  },
  'min-free-check-interval': {
    kind: 'integer',
    default: 5,
    about: 'seconds for which what is free counts as known',
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
  'post-build-hook': { kind: 'string', default: '', about: 'a program that is run after each build' },
  'pre-build-hook': {
    kind: 'string',
    default: '',
    about: 'a program that is run before each build, and may make more paths visible to it',
  },
  'require-sigs': {
    kind: 'boolean',
    default: true,
    about: 'accept only paths that a trusted key has signed, or that are content-addressed',
  },
  'run-diff-hook': { kind: 'boolean', default: false, about: 'run diff-hook where a check finds a difference' },
  sandbox: {
    kind: 'string',
    default: (process.platform === 'linux' ? 'true' : 'false') as string,
    choices: ['true', 'false', 'relaxed'],
    about: 'show builders only what they depend on; relaxed: where the derivation does not ask for more',
    aliases: ['build-use-chroot', 'build-use-sandbox'],
  },
  'sandbox-build-dir': { kind: 'string', default: '/build', about: 'the name of the build directory in the sandbox' },
  'sandbox-dev-shm-size': { kind: 'string', default: '50%', about: 'how large /dev/shm is in the sandbox' },
  'sandbox-fallback': {
    kind: 'boolean',
    default: true,
    about: 'build without a sandbox where the system allows none',
  },
  'sandbox-paths': {
    kind: 'strings',
    default: [],
    about: 'what else builders see: PATH, INSIDE=OUTSIDE, with ? at the end where it may be missing',
    aliases: ['build-chroot-dirs', 'build-sandbox-paths'],
  },
  'secret-key-files': { kind: 'strings', default: [], about: 'files with keys that sign what is added' },
  'ssl-cert-file': {
    kind: 'string',
    default: '',
    about: 'file with the certificates of authorities to trust, in place of those of Node',
  },
  'stalled-download-timeout': { kind: 'integer', default: 300, about: 'seconds without a byte that end a download' },
  substitute: {
    kind: 'boolean',
    default: true,
    about: 'fetch from substituters at all',
    aliases: ['build-use-substitutes'],
  },
  substituters: {
    kind: 'strings',
    default: ['https://cache.nixos.org/'],
    about: 'stores to fetch from, in order',
    aliases: ['binary-caches'],
  },
  'substitutions-use-build-slots': {
    kind: 'boolean',
    default: false,
    about: 'count transfers as builds, as Nix did before 2.16',
  },
  system: { kind: 'string', default: currentSystem() as string, about: 'the system whose derivations are built here' },
  'system-features': {
    kind: 'strings',
    default: ['benchmark', 'big-parallel', 'kvm', 'nixos-test'],
    about: 'what derivations may require of this machine (requiredSystemFeatures)',
  },
  timeout: {
    kind: 'integer',
    default: 0,
    about: 'seconds that a build may take; 0 means no limit',
    aliases: ['build-timeout'],
  },
  'trusted-public-keys': {
    kind: 'strings',
    default: ['cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY='],
    about: 'keys whose signatures count, as NAME:BASE64',
    aliases: ['binary-cache-public-keys'],
  },
  'trusted-substituters': {
    kind: 'strings',
    default: [],
    about: 'stores that those may use who are not trusted',
    aliases: ['trusted-binary-caches'],
  },
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

/** This machine, as Nix calls it: `x86_64-linux`. */
function currentSystem(): string {
  const machines: Partial<Record<NodeJS.Architecture, string>> = {
    arm: 'armv7l',
    arm64: 'aarch64',
    ia32: 'i686',
    ppc64: 'powerpc64le',
    x64: 'x86_64',
  };
  return `${machines[process.arch] ?? process.arch}-${process.platform}`;
}
