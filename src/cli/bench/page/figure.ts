/** A plot with what belongs to it: heading, legend, a word on how to read it. */
import { type Content, type Markup, markup } from './markup.ts';

export interface LegendEntry {
  readonly name: string;
  /** The class that gives what it stands for its colour. */
  readonly className: string;
}

export interface Figure {
  readonly title: string;
  readonly legend: readonly LegendEntry[];
  readonly plot: Content;
  readonly note?: string | undefined;
  /** Takes the whole width of the page. */
  readonly isWide?: boolean;
}

export function drawFigure({ title, legend, plot, note, isWide }: Figure): Markup {
  const entries = legend.map(({ name, className }) => markup`<li><i class="swatch ${className}"></i>${name}</li>`);
  const list = legend.length === 0 ? undefined : markup`<ul class="legend">${entries}</ul>`;
  const caption = note === undefined ? undefined : markup`<p class="note">${note}</p>`;
  return markup`<figure${isWide ? markup` class="wide"` : undefined}>
<h2>${title}</h2>
${list}
${plot}
${caption}
</figure>
`;
}
