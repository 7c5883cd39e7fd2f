/**
 * A measurement as one page that needs nothing but itself: no script, no font, no request. It reads in light and dark,
 * on paper and on a telephone.
 */
import { describeClosure, describeMode, describeOmissions } from '../describe.ts';
import { inMebibytes, threeDigits, wholeNumber } from '../numbers.ts';
import type { Step } from '../records.ts';
import { type BenchReport, bestStep, type StepReport } from '../report.ts';
import { drawLatencyPlot } from './latency-plot.ts';
import { type Content, type Markup, markup } from './markup.ts';
import { STYLE } from './style.ts';
import { drawSweepPlots } from './sweep-plots.ts';
import { drawSlowestTable, drawStepTable } from './tables.ts';
import { drawThreadTimePlot } from './thread-time-plot.ts';
import { drawTimeline } from './timeline.ts';

/** @param steps - what `report.steps` sums up, in the same order. */
export function renderPage(report: BenchReport, steps: readonly Step[]): string {
  const best = bestStep(report.steps)!;
  const bestMeasured = steps[report.steps.indexOf(best)]!;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>sluice bench: ${report.store}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${drawHead(report)}
${drawFacts(best)}
<div class="plots">
${drawSweepPlots(report.steps)}
${drawLatencyPlot(steps)}
${drawThreadTimePlot(report.steps)}
${drawTimeline(bestMeasured)}
${drawOtherTimelines(steps.filter((step) => step !== bestMeasured))}
${section('All steps', drawStepTable(report.steps, best))}
${section(`Slowest transfers with ${best.parallelism} at once`, drawSlowestTable(bestMeasured))}
</div>
</main>
</body>
</html>
`.text;
}

function drawHead(report: BenchReport): Markup {
  const { store, closure, date, machine } = report;
  const { node, platform, processor, cores } = machine;
  const sentences = [describeMode(report), ...(closure === undefined ? [] : describeOmissions(closure))];
  const subject = closure === undefined ? undefined : markup`<p>${describeClosure(closure)}</p>`;
  const when = `${date.slice(0, 16).replace('T', ' ')} UTC`;
  return markup`<h1>${store}</h1>
${subject}
${sentences.map((sentence) => markup`<p class="soft">${sentence}</p>\n`)}
<p class="soft">Measured by <code>sluice bench</code> on ${when} with Node ${node}, ${platform}, ${cores} × ${processor}.</p>`;
}

/** The numbers that most come for. */
function drawFacts({ parallelism, narinfos, transfers }: StepReport): Markup {
  const { latencyMilliseconds: latency, queriesPerSecond } = narinfos;
  const facts: (readonly [name: string, value: string, unit: string])[] = [
    ['best step', String(parallelism), 'at once'],
    ['narinfo p50', threeDigits(latency?.p50), 'ms'],
    ['narinfo p99', threeDigits(latency?.p99), 'ms'],
  ];
  if (transfers === undefined) facts.push(['narinfos', threeDigits(queriesPerSecond), 'a second']);
  else {
    facts.push(['downloaded', inMebibytes(transfers.downloadedBytesPerSecond), 'MiB/s']);
    facts.push(['unpacked (NAR)', inMebibytes(transfers.narBytesPerSecond), 'MiB/s']);
    facts.push(['paths', threeDigits(transfers.pathsPerSecond), 'a second']);
  }
  const items = facts.map(
    ([name, value, unit]) => markup`<div><dt>${name}</dt><dd>${value} <small>${unit}</small></dd></div>`,
  );
  return markup`<dl class="facts">${items}</dl>`;
}

/** Folded away: they are long, and there to be compared with the best. */
function drawOtherTimelines(steps: readonly Step[]): Markup[] {
  return steps.map((step) => {
    const title = `Timeline of the step with ${wholeNumber(step.parallelism)} at once`;
    return markup`<details class="wide"><summary>${title}</summary>
${drawTimeline(step)}</details>
`;
  });
}

function section(title: string, body: Content): Markup | undefined {
  if (body === undefined) return undefined;
  return markup`<section><h2>${title}</h2>
${body}</section>`;
}
