/** Sizes in columns, as `nix path-info -h` has them. */

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `   0.3 KiB`, ` 147.1 MiB`: always ten characters, and no unit below KiB. */
export function humanSize(bytes: number): string {
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; value /= 1024) unit++;
  return `${value.toFixed(1).padStart(6)} ${UNITS[unit]}`;
}
