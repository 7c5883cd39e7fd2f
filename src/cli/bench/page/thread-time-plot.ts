/** What worker threads did with their time, step by step. */
import { threeDigits, wholeNumber } from '../numbers.ts';
import { PHASES, type StepReport, type TransferReport } from '../report.ts';
import { drawFigure } from './figure.ts';
import { type Markup, markup } from './markup.ts';
import { drawPlot } from './plot.ts';
import { linearScale, stepScale } from './scale.ts';

const BAR_WIDTH = 34;

/** Undefined where nothing was transferred. */
export function drawThreadTimePlot(unsorted: readonly StepReport[]): Markup | undefined {
  const steps = unsorted
    .flatMap(({ parallelism, transfers }) => (transfers === undefined ? [] : [{ parallelism, transfers }]))
    .toSorted((a, b) => a.parallelism - b.parallelism);
  if (steps.length === 0) return undefined;
  const x = { label: 'at once', scale: stepScale(steps.map(({ parallelism }) => parallelism)) };
  const y = { label: '% of the time of all threads', scale: linearScale(100) };
  const description = 'Share of the time of all worker threads spent decompressing, hashing and writing, for each step';
  const plot = drawPlot({ description, x, y }, (place) =>
    steps.map(({ parallelism, transfers }) => {
      let below = 0;
      return PHASES.map((phase) => {
        const share = Math.min(100 - below, shareOf(transfers, transfers.threadMilliseconds[phase]));
        const [top, bottom] = [place.y(below + share), place.y(below)];
        below += share;
        const text = `${wholeNumber(parallelism)} at once: ${phase} ${threeDigits(share)} %`;
        const left = place.x(parallelism) - BAR_WIDTH / 2;
        return markup`<rect class="fill ${phase}" x="${left}" y="${top}" width="${BAR_WIDTH}" height="${bottom - top}"><title>${text}</title></rect>`;
      });
    }),
  );
  return drawFigure({
    title: 'Work of the threads',
    legend: PHASES.map((phase) => ({ name: phase, className: phase })),
    plot,
    note: 'What is missing to 100 %: threads that wait for the network, for the disk, or for something to do.',
  });
}

/** Per cent. */
function shareOf({ threads, milliseconds }: TransferReport, spent: number): number {
  return milliseconds > 0 ? (100 * spent) / (threads * milliseconds) : 0;
}
