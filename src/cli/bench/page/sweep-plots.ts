/** What more at once brings: rates over parallelism. */
import { MEBIBYTE, threeDigits, wholeNumber } from '../numbers.ts';
import type { StepReport } from '../report.ts';
import { drawFigure } from './figure.ts';
import { type Markup, markup } from './markup.ts';
import { drawPlot, linePath } from './plot.ts';
import { linearScale, stepScale } from './scale.ts';

interface Series {
  readonly name: string;
  readonly className: string;
  /** Undefined where it was not measured. */
  value(step: StepReport): number | undefined;
}

interface SweepPlot {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly Series[];
}

const THROUGHPUT: SweepPlot = {
  title: 'Throughput',
  unit: 'MiB/s',
  series: [
    { name: 'unpacked (NAR)', className: 'nar', value: ({ transfers }) => inMib(transfers?.narBytesPerSecond) },
    { name: 'downloaded', className: 'download', value: ({ transfers }) => inMib(transfers?.downloadedBytesPerSecond) },
  ],
};
const NARINFOS: SweepPlot = {
  title: 'Narinfo rate',
  unit: 'narinfos/s',
  series: [{ name: 'narinfos', className: 'narinfo', value: ({ narinfos }) => narinfos.queriesPerSecond }],
};

/** Those that the steps have numbers for. Paths a second would be the throughput again: every step has the same paths. */
export function drawSweepPlots(steps: readonly StepReport[]): Markup[] {
  const hasTransfers = steps.some(({ transfers }) => transfers !== undefined);
  return (hasTransfers ? [THROUGHPUT, NARINFOS] : [NARINFOS]).map((plot) => drawSweepPlot(plot, steps));
}

function drawSweepPlot({ title, unit, series }: SweepPlot, unsorted: readonly StepReport[]): Markup {
  const steps = unsorted.toSorted((a, b) => a.parallelism - b.parallelism);
  const values = steps.flatMap((step) => series.map(({ value }) => value(step) ?? 0));
  const x = { label: 'at once', scale: stepScale(steps.map(({ parallelism }) => parallelism)) };
  const y = { label: unit, scale: linearScale(values.reduce((a, b) => Math.max(a, b), 0)) };
  const plot = drawPlot({ description: `${title} in ${unit}, by how many are under way at once`, x, y }, (place) =>
    series.map(({ name, className, value }) => {
      const points = steps.flatMap((step) => {
        const amount = value(step);
        if (amount === undefined) return [];
        const text = `${wholeNumber(step.parallelism)} at once: ${threeDigits(amount)} ${unit} ${name}`;
        return [{ x: place.x(step.parallelism), y: place.y(amount), text }];
      });
      const dots = points.map(
        (dot) => markup`<circle class="dot" cx="${dot.x}" cy="${dot.y}" r="4"><title>${dot.text}</title></circle>`,
      );
      return markup`<g class="${className}"><path class="line" d="${linePath(points)}"/>${dots}</g>`;
    }),
  );
  return drawFigure({ title: `${title}, ${unit}`, legend: series, plot });
}

function inMib(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / MEBIBYTE;
}
