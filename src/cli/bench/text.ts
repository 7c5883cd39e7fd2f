/** A measurement as text: what it was about, and a table with a line for each step. */
import { type Column, columnsFor, groupsOf } from './columns.ts';
import { describeBest, describeClosure, describeMode, describeOmissions } from './describe.ts';
import { type BenchReport, bestStep, type StepReport } from './report.ts';

const BETWEEN_COLUMNS = '  ';
const BETWEEN_GROUPS = '   ';

/** Ends with a newline. */
export function printReport(report: BenchReport): string {
  const { store, closure, steps } = report;
  const best = bestStep(steps);
  const lines = [
    closure === undefined ? store : `${store}: ${describeClosure(closure)}`,
    describeMode(report),
    ...(closure === undefined ? [] : describeOmissions(closure)),
    '',
    ...tableLines(steps),
  ];
  if (best !== undefined && steps.length > 1) lines.push('', describeBest(best));
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

/** Two lines of headings, then one a step; numbers end in one column. */
function tableLines(steps: readonly StepReport[]): string[] {
  const blocks = groupsOf(columnsFor(steps)).map(({ name, columns }) => blockLines(name, columns, steps));
  return blocks[0]!.map((_, line) => blocks.map((block) => block[line]!).join(BETWEEN_GROUPS));
}

/** The columns of one group, all lines equally wide. */
function blockLines(name: string, columns: readonly Column[], steps: readonly StepReport[]): string[] {
  const cells = columns.map(({ title, cell }) => [title, ...steps.map(cell)]);
  const widths = cells.map((column) => Math.max(...column.map(({ length }) => length)));
  const lines = cells[0]!.map((_, line) =>
    cells.map((column, index) => column[line]!.padStart(widths[index]!)).join(BETWEEN_COLUMNS),
  );
  const width = Math.max(name.length, lines[0]!.length);
  return [name.padStart(width), ...lines.map((line) => line.padStart(width))];
}
