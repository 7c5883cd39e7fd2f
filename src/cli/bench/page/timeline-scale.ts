/** The time axis of a timeline, and the measures that its lanes share. */
import { threeDigits } from '../numbers.ts';
import { durationOf, type Span } from '../records.ts';
import { type Markup, markup } from './markup.ts';
import { exactScale, type Scale } from './scale.ts';

/** Units of the drawing. */
export const TIMELINE_WIDTH = 1120;
export const LANE_LEFT = 92;
export const LANE_WIDTH: number = TIMELINE_WIDTH - LANE_LEFT - 14;
/** In how many parts the time is divided where things are added up. */
export const BINS = 200;

export interface TimeScale {
  readonly whole: Span;
  readonly scale: Scale;
  readonly unit: 'seconds' | 'milliseconds';
  /** Where a moment stands. */
  x(moment: number): number;
  /** When one of the {@link BINS} is: `at 1.20 s`. */
  describe(bin: number): string;
  /** `12.0 ms`, `1.20 s`. */
  duration(milliseconds: number): string;
}

export function timeScale(whole: Span): TimeScale {
  const length = Math.max(durationOf(whole), 0.001);
  const isLong = length >= 2000;
  const scale = exactScale(isLong ? length / 1000 : length, 8);
  const duration = (milliseconds: number): string =>
    milliseconds >= 1000 ? `${threeDigits(milliseconds / 1000)} s` : `${threeDigits(milliseconds)} ms`;
  return {
    whole,
    scale,
    unit: isLong ? 'seconds' : 'milliseconds',
    x: (moment) => LANE_LEFT + Math.min(1, Math.max(0, (moment - whole.started) / length)) * LANE_WIDTH,
    describe: (bin) => `at ${duration(((bin + 0.5) * length) / BINS)}`,
    duration,
  };
}

/** What a lane is, at its left. */
export function drawLabel(text: string, below: string | undefined, y: number): Markup {
  const more = below === undefined ? undefined : markup`<text class="below" x="0" y="${y + 15}">${below}</text>`;
  return markup`<text class="lane" x="0" y="${y}">${text}</text>${more}`;
}
