/** Numbers as tables and axes show them: in a unit that the heading names, with three digits. */

export const MEBIBYTE: number = 2 ** 20;

/** `0.042`, `0.420`, `4.20`, `42.0`, `420`, `4,200`; `–` where there is no number. */
export function threeDigits(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  if (value >= 99.95) return Math.round(value).toLocaleString('en-US');
  if (value === 0) return '0';
  const decimals = value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 3;
  return value.toFixed(decimals);
}

/** A number of bytes in MiB, as {@link threeDigits}. */
export function inMebibytes(bytes: number | undefined): string {
  return threeDigits(bytes === undefined ? undefined : bytes / MEBIBYTE);
}

/** `12,345`. */
export function wholeNumber(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
