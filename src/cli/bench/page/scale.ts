/** Axes: where a value stands between their ends, and which values are written on them. */
import { threeDigits, wholeNumber } from '../numbers.ts';

export interface Tick {
  readonly value: number;
  readonly label: string;
}

export interface Scale {
  readonly ticks: readonly Tick[];
  /** 0 at the beginning, 1 at the end; what lies outside is moved to the nearer of them. */
  at(value: number): number;
}

/** From 0 to a round number that is not below `greatest`; about `count` ticks. */
export function linearScale(greatest: number, count = 5): Scale {
  const step = roundStep((greatest > 0 ? greatest : 1) / count);
  const last = Math.ceil((greatest > 0 ? greatest : 1) / step - 1e-9);
  const values = Array.from({ length: last + 1 }, (_, index) => index * step);
  return {
    ticks: values.map((value) => ({ value, label: plain(value) })),
    at: (value) => clamp(value / (last * step)),
  };
}

/** From 0 to exactly `end`: for time that is over when it is over. */
export function exactScale(end: number, count: number): Scale {
  const step = roundStep(end / count);
  const values = Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => index * step);
  return { ticks: values.map((value) => ({ value, label: plain(value) })), at: (value) => clamp(value / end) };
}

/** Logarithmic, over round numbers that enclose both values. Above three decades only powers of ten are written. */
export function logScale(smallest: number, greatest: number): Scale {
  const least = Math.max(smallest, 1e-3);
  const powers = Array.from({ length: 13 }, (_, index) => 10 ** (index - 3));
  const round = powers.flatMap((power) => [1, 2, 5].map((digit) => digit * power));
  const first = Math.max(
    0,
    round.findLastIndex((value) => value <= least * 1.0001),
  );
  const found = round.findIndex((value) => value >= greatest * 0.9999);
  const last = Math.max(found < 0 ? round.length - 1 : found, first + 1);
  const [start, end] = [Math.log(round[first]!), Math.log(round[last]!)];
  const values = round.slice(first, last + 1);
  const written = values.length > 10 ? values.filter((_, index) => (first + index) % 3 === 0) : values;
  return {
    ticks: written.map((value) => ({ value, label: plain(value) })),
    at: (value) => clamp((Math.log(Math.max(value, 1e-9)) - start) / (end - start)),
  };
}

/** The steps of a sweep, equally far from each other, in the order in which they are given. */
export function stepScale(steps: readonly number[]): Scale {
  const place = (index: number): number => (index + 0.5) / steps.length;
  return {
    ticks: steps.map((value) => ({ value, label: wholeNumber(value) })),
    at: (value) => place(steps.indexOf(value)),
  };
}

/** 1, 2 or 5, times a power of ten; not below `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((digit) => digit * power >= least * 0.9999)! * power;
}

/** Without zeros at its end. */
function plain(value: number): string {
  return value >= 1000
    ? wholeNumber(value)
    : threeDigits(value)
        .replace(/(\.\d*?)0+$/, '$1')
        .replace(/\.$/, '');
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
