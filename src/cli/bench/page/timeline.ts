/** One step as it went: queries, each thread with its transfers, and commits, over time. */
import { wholeNumber } from '../numbers.ts';
import { durationOf, type Span, type Step, type TransferRun } from '../records.ts';
import { drawFigure } from './figure.ts';
import { averageInFlight, longestFirst, threadLanes } from './lanes.ts';
import { type Markup, markup } from './markup.ts';

import { drawThread } from './thread-lane.ts';
import { BINS, drawLabel, LANE_LEFT, LANE_WIDTH, TIMELINE_WIDTH, type TimeScale, timeScale } from './timeline-scale.ts';

const TOP = 8;
const QUERIES_HEIGHT = 40;
const COMMITS_HEIGHT = 18;
const BETWEEN = 16;
const AXIS_HEIGHT = 48;
/** Bars drawn at most, the longest of all: a page with more is slow, and shows no more. */
const MAX_BARS = 3_000;

const LEGEND = [
  { name: 'narinfos under way', className: 'narinfo' },
  { name: 'wait for the first byte', className: 'wait' },
  { name: 'decode', className: 'decode' },
  { name: 'hash', className: 'hash' },
  { name: 'write', className: 'write' },
  { name: 'wait for more, or for other transfers', className: 'rest' },
  { name: 'commit', className: 'commit' },
];

const NOTE = [
  'Before the first transfer threads start, and the store is made where there is one.',
  'The strip of a thread is its load: what share of its time went into each kind of work.',
  'A bar below it is one transfer. Its work comes in turns, chunk by chunk: within a bar the colours show how much of',
  'each there was, and no order. Point at something to see what it is.',
].join(' ');

export function drawTimeline({ parallelism, narinfos, transfers }: Step): Markup {
  const whole = { started: narinfos.started, ended: transfers?.ended ?? narinfos.ended };
  const time = timeScale(whole);
  const threads = threadLanes(longest(transfers));
  const parts: Markup[] = [];
  let y = TOP;
  parts.push(drawQueries(narinfos.queries, time, y));
  y += QUERIES_HEIGHT + BETWEEN;
  for (const thread of threads) {
    const lane = drawThread(thread, time, y);
    parts.push(lane.markup);
    y += lane.height + BETWEEN;
  }
  if (transfers !== undefined && transfers.commits.length > 0) {
    parts.push(drawCommits(transfers, time, y));
    y += COMMITS_HEIGHT + BETWEEN;
  }
  const description = `Timeline of the step with ${parallelism} at once: queries, transfers by thread, commits`;
  const plot = markup`<div class="scroll"><svg class="timeline" viewBox="0 0 ${TIMELINE_WIDTH} ${y + AXIS_HEIGHT - BETWEEN}" role="img" aria-label="${description}">
${drawAxis(time, y - BETWEEN / 2)}
${parts}
</svg></div>`;
  return drawFigure({
    title: `Timeline of the step with ${wholeNumber(parallelism)} at once`,
    legend: transfers === undefined ? LEGEND.slice(0, 1) : LEGEND,
    plot,
    note: transfers === undefined ? undefined : noteOf(transfers),
    isWide: true,
  });
}

function noteOf({ transfers }: TransferRun): string {
  if (transfers.length <= MAX_BARS) return NOTE;
  return `${NOTE} Drawn are the ${wholeNumber(MAX_BARS)} longest of ${wholeNumber(transfers.length)} transfers.`;
}

function longest(run: TransferRun | undefined): TransferRun['transfers'] {
  const transfers = run?.transfers ?? [];
  if (transfers.length <= MAX_BARS) return transfers;
  return longestFirst(transfers).slice(0, MAX_BARS);
}

function drawQueries(queries: readonly Span[], time: TimeScale, y: number): Markup {
  const counts = averageInFlight(queries, time.whole, BINS);
  const most = Math.max(1, ...counts);
  const width = LANE_WIDTH / BINS;
  const bars = counts.map((count, bin) => {
    if (count < 1e-6) return undefined;
    const height = Math.max(1, (count / most) * QUERIES_HEIGHT);
    const text = `${time.describe(bin)}: ${count < 9.95 ? count.toFixed(1) : wholeNumber(count)} narinfos under way`;
    return markup`<rect class="fill narinfo" x="${LANE_LEFT + bin * width}" y="${y + QUERIES_HEIGHT - height}" width="${width}" height="${height}"><title>${text}</title></rect>`;
  });
  return markup`${drawLabel('narinfos', `up to ${wholeNumber(most)}`, y + 16)}<path class="base" d="M${LANE_LEFT} ${y + QUERIES_HEIGHT}h${LANE_WIDTH}"/>${bars}
`;
}

function drawCommits({ commits }: TransferRun, time: TimeScale, y: number): Markup {
  const bars = commits.map((commit) => {
    const paths = commit.paths === 1 ? '1 path' : `${wholeNumber(commit.paths)} paths`;
    const text = `registered ${paths} in ${time.duration(durationOf(commit))}`;
    const width = Math.max(1.5, time.x(commit.ended) - time.x(commit.started));
    return markup`<rect class="fill commit" x="${time.x(commit.started)}" y="${y}" width="${width}" height="${COMMITS_HEIGHT}"><title>${text}</title></rect>`;
  });
  const base = y + COMMITS_HEIGHT;
  return markup`${drawLabel('commits', undefined, y + 13)}<path class="base" d="M${LANE_LEFT} ${base}h${LANE_WIDTH}"/>${bars}
`;
}

function drawAxis({ scale, unit }: TimeScale, bottom: number): Markup {
  const ticks = scale.ticks.map(({ value, label }) => {
    const x = LANE_LEFT + scale.at(value) * LANE_WIDTH;
    return markup`<path class="grid" d="M${x} ${TOP}V${bottom}"/><text x="${x}" y="${bottom + 16}" text-anchor="middle">${label}</text>`;
  });
  const middle = LANE_LEFT + LANE_WIDTH / 2;
  return markup`${ticks}<text class="label" x="${middle}" y="${bottom + 34}" text-anchor="middle">${unit} since the first query</text>`;
}
