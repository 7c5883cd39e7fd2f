/** The lane of one worker thread in a timeline: its load, and below a bar for each transfer. */
import { pathName } from '../../../formats/store-path.ts';
import { formatBytes } from '../../progress/units.ts';
import { spanOfTransfer, type TransferRecord } from '../records.ts';
import { PHASES } from '../report.ts';
import { sumOf } from '../statistics.ts';
import { loadOf, packRows, type ThreadLane } from './lanes.ts';
import { type Markup, markup } from './markup.ts';
import { BINS, drawLabel, LANE_LEFT, LANE_WIDTH, type TimeScale } from './timeline-scale.ts';

const LOAD_HEIGHT = 44;
const GAP = 4;
/** How high all bars together may be, where they do not become too thin. */
const ROWS_HEIGHT = 150;
const [THINNEST, THICKEST] = [2.5, 12];
/** What is narrower is not drawn; a transfer is always at least so wide. */
const NARROWEST = 0.4;

export function drawThread(lane: ThreadLane, time: TimeScale, y: number): { markup: Markup; height: number } {
  const { items, rows } = packRows(lane.transfers, spanOfTransfer);
  const rowHeight = Math.min(THICKEST, Math.max(THINNEST, ROWS_HEIGHT / rows));
  const top = y + LOAD_HEIGHT + GAP;
  const bars = items.map(({ item, row }) => drawTransfer(item, time, top + row * rowHeight, rowHeight * 0.86));
  const count = lane.transfers.length;
  const label = drawLabel(`thread ${lane.number}`, count === 1 ? '1 transfer' : `${count} transfers`, y + 16);
  return {
    markup: markup`${label}${drawLoad(lane, time, y)}${bars}
`,
    height: LOAD_HEIGHT + GAP + rows * rowHeight,
  };
}

/** Stacked: full height is a thread that is busy all the time. */
function drawLoad({ transfers }: ThreadLane, time: TimeScale, y: number): Markup {
  const width = LANE_WIDTH / BINS;
  const columns = loadOf(transfers, time.whole, BINS).map((load, bin) => {
    if (PHASES.every((phase) => load[phase] < 0.005)) return undefined;
    let bottom = y + LOAD_HEIGHT;
    const rects = PHASES.map((phase) => {
      const height = load[phase] * LOAD_HEIGHT;
      bottom -= height;
      return height < 0.2
        ? undefined
        : markup`<rect class="fill ${phase}" x="${LANE_LEFT + bin * width}" y="${bottom}" width="${width}" height="${height}"/>`;
    });
    const shares = PHASES.map((phase) => `${phase} ${Math.round(100 * load[phase])} %`).join(', ');
    return markup`<g><title>${time.describe(bin)}: ${shares}</title>${rects}</g>`;
  });
  return markup`<rect class="load" x="${LANE_LEFT}" y="${y}" width="${LANE_WIDTH}" height="${LOAD_HEIGHT}"/>${columns}`;
}

function drawTransfer(
  { path, narSize, downloadedBytes, timings }: TransferRecord,
  time: TimeScale,
  y: number,
  height: number,
): Markup {
  const { started, wait, unpack } = timings;
  const parts = [
    { className: 'wait', milliseconds: wait },
    ...PHASES.map((phase) => ({ className: phase, milliseconds: timings[phase] })),
    { className: 'rest', milliseconds: Math.max(0, unpack - sumOf(PHASES, (phase) => timings[phase])) },
  ];
  let moment = started;
  const rects = parts.map(({ className, milliseconds }) => {
    const left = time.x(moment);
    moment += milliseconds;
    const width = time.x(moment) - left;
    if (width < NARROWEST) return undefined;
    return markup`<rect class="fill ${className}" x="${left}" y="${y}" width="${width}" height="${height}"/>`;
  });
  const details = parts.map(({ className, milliseconds }) => `${className} ${time.duration(milliseconds)}`).join(', ');
  const title = `${pathName(path)}: ${formatBytes(narSize)} of NAR, ${formatBytes(downloadedBytes)} downloaded\n${details}`;
  // Beneath the parts, so that there is something to see and to point at however short it was.
  const whole = Math.max(1.2, time.x(moment) - time.x(started));
  return markup`<g><title>${title}</title><rect class="fill rest" x="${time.x(started)}" y="${y}" width="${whole}" height="${height}"/>${rects}</g>`;
}
