/** Sizes, rates and durations as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `352 B`, `12.3 KiB`, `147 MiB`: three digits are as many as anyone reads. */
export function formatBytes(bytes: number): string {
  const unit = unitOf(bytes);
  return `${inUnit(bytes, unit)} ${UNITS[unit]}`;
}

/** `12.3/147 MiB`: both in the unit of the second; without it as {@link formatBytes}. */
export function formatBytesOf(bytes: number, total: number | undefined): string {
  if (total === undefined) return formatBytes(bytes);
  const unit = unitOf(total);
  return `${inUnit(bytes, unit)}/${inUnit(total, unit)} ${UNITS[unit]}`;
}

/** `45.2 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** `45 ms`, `0.21 s`, `8.5 s`, and from ten seconds on as {@link formatSeconds}. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (milliseconds < 99.5) return `${Math.round(milliseconds)} ms`;
  if (seconds < 0.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  return formatSeconds(Math.round(seconds));
}

/** `8 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${twoDigits(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** `1 path`, `51 paths`. */
export function countPaths(count: number): string {
  return count === 1 ? '1 path' : `${count} paths`;
}

/** The largest unit of which there is at least one, as printed: 1023.6 KiB would read as 1024. */
function unitOf(bytes: number): number {
  let unit = 0;
  for (let value = bytes; unit < UNITS.length - 1 && Math.round(value) >= 1024; value /= 1024) unit++;
  return unit;
}

function inUnit(bytes: number, unit: number): string {
  const value = bytes / 1024 ** unit;
  return unit === 0 || bytes === 0 || value >= 99.95 ? String(Math.round(value)) : value.toFixed(1);
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
