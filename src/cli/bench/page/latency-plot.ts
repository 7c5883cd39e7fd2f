/** How long narinfos took: for each step the share of queries that were answered within a time. */
import { threeDigits, wholeNumber } from '../numbers.ts';
import { durationOf, type Step } from '../records.ts';
import { distributionOf, quantile, sortedNumbers } from '../statistics.ts';
import { drawFigure } from './figure.ts';
import { type Markup, markup } from './markup.ts';
import { drawPlot, linePath, type Place } from './plot.ts';
import { linearScale, logScale } from './scale.ts';

/** Points of a line: more cannot be told apart. */
const POINTS = 240;
/** How many colours style.ts has for steps. */
const SHADES = 6;
const MARKED = [0.5, 0.9, 0.99] as const;

interface Curve {
  readonly parallelism: number;
  readonly className: string;
  /** Milliseconds, ascending. */
  readonly latencies: readonly number[];
}

export function drawLatencyPlot(steps: readonly Step[]): Markup {
  const sorted = steps
    .filter(({ narinfos }) => narinfos.queries.length > 0)
    .toSorted((a, b) => a.parallelism - b.parallelism);
  const curves = sorted.map(({ parallelism, narinfos }, index): Curve => {
    const latencies = sortedNumbers(narinfos.queries.map(durationOf));
    return { parallelism, className: shadeOf(index, sorted.length), latencies };
  });
  const least = Math.min(...curves.map(({ latencies }) => latencies[0]!));
  const most = Math.max(...curves.map(({ latencies }) => latencies.at(-1)!));
  const x = { label: 'milliseconds, logarithmic', scale: logScale(least, most) };
  const y = { label: '% of queries answered', scale: linearScale(100) };
  const description = 'Share of narinfo queries answered within a time, for each step';
  const plot = drawPlot({ description, x, y }, (place) => curves.map((curve) => drawCurve(curve, place)));
  return drawFigure({
    title: 'Narinfo latency',
    legend: curves.map(({ parallelism, className }) => ({ name: `${wholeNumber(parallelism)} at once`, className })),
    plot,
    note: 'The dots are p50, p90 and p99. A query that had to open its connection first includes that.',
  });
}

function drawCurve({ parallelism, className, latencies }: Curve, place: Place): Markup {
  const points = distributionOf(latencies, POINTS).map(({ value, share }) => ({
    x: place.x(value),
    y: place.y(100 * share),
  }));
  const start = { x: points[0]!.x, y: place.y(0) };
  const dots = MARKED.map((share) => {
    const value = quantile(latencies, share);
    const text = `${wholeNumber(parallelism)} at once: ${100 * share} % within ${threeDigits(value)} ms`;
    return markup`<circle class="dot" cx="${place.x(value)}" cy="${place.y(100 * share)}" r="3.5"><title>${text}</title></circle>`;
  });
  return markup`<g class="${className}"><path class="line" d="${linePath([start, ...points])}"/>${dots}</g>`;
}

/** From light to dark with more at once, whatever the number of steps. */
function shadeOf(index: number, count: number): string {
  return `shade-${count === 1 ? SHADES - 1 : Math.round((index * (SHADES - 1)) / (count - 1))}`;
}
