/**
 * The settings of Nix that mean nothing here: for evaluation, builds, the daemon, and what else a nix.conf is written
 * for. They are accepted without a word.
 *
 * Source: the settings that Nix 2.8 and Nix 2.35 register, with their aliases.
 */

const NAMES: ReadonlySet<string> = new Set(
  `abort-on-warn accept-flake-config access-tokens allow-dirty allow-dirty-locks allow-import-from-derivation
  allow-new-privileges allow-symlinked-store allow-unsafe-native-code-during-evaluation
  allowed-uris allowed-users auto-allocate-uids bash-prompt bash-prompt-prefix bash-prompt-suffix
  build-impersonate-linux-26 build-repeat commit-lock-file-summary commit-lockfile-summary
  darwin-log-sandbox-violations debugger-on-trace debugger-on-warn download-buffer-size enforce-determinism
  env-keep-derivations eval-attrset-update-layer-rhs-threshold eval-cache eval-profile-file eval-profiler
  eval-profiler-frequency eval-system experimental-features external-builders filter-syscalls flake-registry http3
  id-count ignore-try impersonate-linux-26 impure-env json-log-path keep-env-derivations
  lint-absolute-path-literals lint-short-path-literals lint-url-literals max-call-depth nar-buffer-size nix-path
  nix-shell-always-looks-for-shell-nix nix-shell-shebang-arguments-relative-to-script plugin-files
  preallocate-contents print-missing pure-eval repeat require-drop-supplementary-groups restrict-eval show-trace
  start-id store sync-before-registering tarball-ttl trace-function-calls trace-import-from-derivation trace-verbose
  trust-tarballs-from-git-forges trusted-users upgrade-nix-store-path-url use-case-hack use-cgroups use-registries
  use-sqlite-wal use-xdg-base-directories warn-dirty warn-large-path-threshold warn-short-path-literals`.split(/\s+/),
);

/** Whether Nix has a setting of that name, with or without `extra-`, that nothing here reads. */
export function isSettingOfNixOnly(name: string): boolean {
  return NAMES.has(name) || (name.startsWith('extra-') && NAMES.has(name.slice('extra-'.length)));
}
