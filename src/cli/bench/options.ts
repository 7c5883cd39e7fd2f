/** The options of `sluice bench` that have a form of their own. */
import { UsageError } from '../../errors.ts';

/** Nobody has so many connections to one cache. */
const MAX_PARALLELISM = 4096;
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/**
 * Reads `1,4,16`: how many at once, step by step.
 *
 * @returns each once, in the order given.
 * @throws {UsageError} on anything else.
 */
export function parseParallelism(text: string): number[] {
  const steps = text.split(',').map((word) => (/^\s*\d{1,6}\s*$/.test(word) ? Number(word) : 0));
  if (steps.some((step) => step < 1 || step > MAX_PARALLELISM)) {
    throw new UsageError(`'--parallelism' wants numbers from 1 to ${MAX_PARALLELISM}, such as 1,4,16, got '${text}'`);
  }
  return [...new Set(steps)];
}

/** @throws {UsageError} on anything but a whole number above zero. */
export function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`'--limit' wants a whole number above zero, got '${text}'`);
}

/**
 * Reads a size: `1500000`, `500M`, `1.5G`, `500MiB`; the units are powers of 1024.
 *
 * @returns bytes.
 * @throws {UsageError} on anything else.
 */
export function parseSize(text: string): number {
  const [, number, unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?) ?([KMGT]?)(?:iB|B)?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * UNITS[unit.toUpperCase()]!);
  if (number !== undefined && bytes > 0) return bytes;
  throw new UsageError(`'--max-size' wants a size such as 500M or 2G, got '${text}'`);
}
