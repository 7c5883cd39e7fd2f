/** HTML and SVG as values: whatever is put into a template is escaped, unless it is markup already. */

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text that is well-formed markup: made by {@link markup} only. */
export class Markup {
  readonly text: string;

  /** @param text - is taken as it is. */
  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | readonly Content[] | undefined;

/**
 * A template: `markup\`<p title="${title}">${body}</p>\``. Attributes stand in double quotes.
 * Arrays are put in one after the other; undefined is nothing.
 */
export function markup(template: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(String.raw({ raw: template }, ...contents.map(printContent)));
}

function printContent(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(printContent).join('');
  if (typeof content === 'number') return printNumber(content);
  // Control characters have no place in markup, escaped or not.
  return content
    .replace(/[\p{Cc}\p{Cs}]/gu, (character) => (/[\t\n]/.test(character) ? character : '\ufffd'))
    .replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}

/** Coordinates: a hundredth of a pixel is as much as anyone sees. */
function printNumber(value: number): string {
  return String(Math.round(value * 100) / 100);
}
