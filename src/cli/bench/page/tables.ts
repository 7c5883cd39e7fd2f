/** The numbers of the page, as tables. */
import { pathName } from '../../../formats/store-path.ts';
import { columnsFor, groupsOf } from '../columns.ts';
import { inMebibytes, threeDigits, wholeNumber } from '../numbers.ts';
import type { Step } from '../records.ts';
import type { StepReport } from '../report.ts';
import { longestFirst } from './lanes.ts';
import { type Markup, markup } from './markup.ts';

const SLOWEST = 10;

/** A row for each step; that of `best` stands out. */
export function drawStepTable(steps: readonly StepReport[], best: StepReport | undefined): Markup {
  const columns = columnsFor(steps);
  const groups = groupsOf(columns).map(({ name, columns: { length } }) => markup`<th colspan="${length}">${name}</th>`);
  const titles = columns.map(({ title }) => markup`<th>${title}</th>`);
  const rows = steps.map((step) => {
    const cells = columns.map(({ cell }) => markup`<td>${cell(step)}</td>`);
    return markup`<tr${step === best ? markup` class="best"` : undefined}>${cells}</tr>
`;
  });
  return markup`<div class="scroll"><table>
<thead><tr>${groups}</tr><tr>${titles}</tr></thead>
<tbody>
${rows}</tbody>
</table></div>
`;
}

/** The transfers of a step that took longest; undefined where there are none. */
export function drawSlowestTable({ transfers }: Step): Markup | undefined {
  if (transfers === undefined) return undefined;
  const slowest = longestFirst(transfers.transfers).slice(0, SLOWEST);
  const rows = slowest.map(({ path, narSize, downloadedBytes, timings }) => {
    const { wait, unpack, decode, hash, write } = timings;
    const times = [wait + unpack, wait, decode, hash, write].map((each) => markup`<td>${threeDigits(each)}</td>`);
    return markup`<tr><td class="name">${pathName(path)}</td><td>${inMebibytes(downloadedBytes)}</td><td>${inMebibytes(narSize)}</td>${times}</tr>
`;
  });
  const times = ['total', 'wait', 'decode', 'hash', 'write'].map((title) => markup`<th>${title}</th>`);
  return markup`<div class="scroll"><table>
<thead><tr><th></th><th colspan="2">MiB</th><th colspan="5">milliseconds</th></tr>
<tr><th class="name">path</th><th>down</th><th>NAR</th>${times}</tr></thead>
<tbody>
${rows}</tbody>
</table></div>
<p class="note">The ${wholeNumber(slowest.length)} that took longest, of ${wholeNumber(transfers.transfers.length)}.</p>
`;
}
