/**
 * The settings of Nix that mean nothing here: for evaluation, builds, the daemon, and what else a nix.conf is written
 * for. They are accepted without a word.
 *
 * Source: the settings that Nix 2.8 and Nix 2.35 register, with their aliases.
 */

const NAMES: ReadonlySet<string> = new Set(
  `abort-on-warn accept-flake-config access-tokens allow-dirty allow-dirty-locks allow-import-from-derivation
  allow-new-privileges allow-symlinked-store allow-unsafe-native-code-during-evaluation allowed-impure-host-deps
  allowed-uris allowed-users always-allow-substitutes auto-allocate-uids auto-optimise-store bash-prompt
  bash-prompt-prefix bash-prompt-suffix build-chroot-dirs build-compress-log build-cores build-dir build-hook
  build-impersonate-linux-26 build-keep-log build-max-log-size build-max-silent-time build-poll-interval build-repeat
  build-sandbox-paths build-timeout build-use-chroot build-use-sandbox build-users-group builders
  builders-use-substitutes commit-lock-file-summary commit-lockfile-summary compress-build-log cores
  darwin-log-sandbox-violations debugger-on-trace debugger-on-warn diff-hook download-buffer-size enforce-determinism
  env-keep-derivations eval-attrset-update-layer-rhs-threshold eval-cache eval-profile-file eval-profiler
  eval-profiler-frequency eval-system experimental-features external-builders extra-platforms filter-syscalls
  flake-registry hashed-mirrors http3 id-count ignore-try
  ignored-acls impersonate-linux-26 impure-env json-log-path keep-build-log keep-env-derivations
  keep-failed lint-absolute-path-literals lint-short-path-literals lint-url-literals log-lines
  max-build-log-size max-call-depth max-silent-time nar-buffer-size nix-path
  nix-shell-always-looks-for-shell-nix nix-shell-shebang-arguments-relative-to-script plugin-files post-build-hook
  pre-build-hook preallocate-contents print-missing pure-eval repeat require-drop-supplementary-groups restrict-eval
  run-diff-hook sandbox sandbox-build-dir sandbox-dev-shm-size sandbox-fallback sandbox-paths show-trace start-id store
  sync-before-registering system system-features tarball-ttl timeout trace-function-calls trace-import-from-derivation
  trace-verbose trust-tarballs-from-git-forges trusted-users upgrade-nix-store-path-url use-case-hack use-cgroups
  use-registries use-sqlite-wal use-xdg-base-directories warn-dirty warn-large-path-threshold
  warn-short-path-literals`.split(/\s+/),
);

/** Whether Nix has a setting of that name, with or without `extra-`, that nothing here reads. */
export function isSettingOfNixOnly(name: string): boolean {
  return NAMES.has(name) || (name.startsWith('extra-') && NAMES.has(name.slice('extra-'.length)));
}
