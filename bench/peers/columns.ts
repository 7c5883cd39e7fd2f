/** Text in columns. */

const GAP = '  ';

/** How a column is laid out: numbers end in one column, words begin in one. */
export type Alignment = 'left' | 'right';

/**
 * Lays cells out in columns that are as wide as their widest cell.
 *
 * @param rows - all with as many cells as there are alignments; the first one has the headings.
 * @returns lines, without newlines and without blanks at their ends.
 */
export function alignColumns(rows: readonly (readonly string[])[], alignments: readonly Alignment[]): string[] {
  const widths = alignments.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows.map((cells) => {
    const padded = cells.map((cell, column) =>
      alignments[column] === 'left' ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    return padded.join(GAP).trimEnd();
  });
}
