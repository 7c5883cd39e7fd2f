/** The frame of a plot: axes with ticks, grid and labels. What is drawn inside is given by its place in it. */
import { type Content, type Markup, markup } from './markup.ts';
import type { Scale } from './scale.ts';

export interface Axis {
  /** What it shows, with the unit. */
  readonly label: string;
  readonly scale: Scale;
}

export interface PlotOptions {
  /** For those who cannot see it. */
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
}

/** Where values stand, in units of the drawing. */
export interface Place {
  x(value: number): number;
  y(value: number): number;
}

/** Units of the drawing; on most screens it is about as many pixels wide. */
const [WIDTH, HEIGHT] = [480, 300];
const [LEFT, RIGHT, TOP, BOTTOM] = [62, 16, 12, 46];
const [INNER_WIDTH, INNER_HEIGHT] = [WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM];

/** @param draw - draws over the grid. */
export function drawPlot({ description, x, y }: PlotOptions, draw: (place: Place) => Content): Markup {
  const place: Place = {
    x: (value) => LEFT + x.scale.at(value) * INNER_WIDTH,
    y: (value) => TOP + (1 - y.scale.at(value)) * INNER_HEIGHT,
  };
  const bottom = HEIGHT - BOTTOM;
  const columns = x.scale.ticks.map(({ value, label }) => {
    const at = place.x(value);
    return markup`<path class="grid" d="M${at} ${TOP}V${bottom}"/><text x="${at}" y="${bottom + 18}" text-anchor="middle">${label}</text>`;
  });
  const rows = y.scale.ticks.map(({ value, label }) => {
    const at = place.y(value);
    return markup`<path class="grid" d="M${LEFT} ${at}H${WIDTH - RIGHT}"/><text x="${LEFT - 8}" y="${at + 4}" text-anchor="end">${label}</text>`;
  });
  const middle = TOP + INNER_HEIGHT / 2;
  return markup`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${description}">
${columns}${rows}
<path class="axis" d="M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}"/>
<text class="label" x="${LEFT + INNER_WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle">${x.label}</text>
<text class="label" transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">${y.label}</text>
${draw(place)}
</svg>`;
}

/** A line through points, in units of the drawing. */
export function linePath(points: readonly { readonly x: number; readonly y: number }[]): string {
  return points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('');
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
