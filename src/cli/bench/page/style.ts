/** How the page looks, in light and in dark. */
import { Markup } from './markup.ts';

/** Colours that people with any colour vision tell apart; those of the steps go from light to dark, or the other way. */
const COLOURS = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #fff; --ink: #1c1f23; --soft: #5b636e; --edge: #e3e5e8; --grid: #eceef0;
  --decode: #2f6fb7; --hash: #d98a00; --write: #1d8f6d; --wait: #c9ced6; --rest: #e7eaee; --commit: #9a4fb3;
  --narinfo: #c2497a; --nar: #1d6fa5; --download: #d06a1b; --best: #f1f6ee;
  --shade-0: #9cc7e0; --shade-1: #6fadd3; --shade-2: #4590c2; --shade-3: #2874ad; --shade-4: #175a90; --shade-5: #0b3d66;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1b1f24; --ink: #e6e8ea; --soft: #9aa3ad; --edge: #2c3239; --grid: #282e34;
    --decode: #5b9be0; --hash: #f0ad3a; --write: #41bd95; --wait: #545d68; --rest: #353c45; --commit: #c084d8;
    --narinfo: #e57aa5; --nar: #62b2e3; --download: #f19a55; --best: #222c22;
    --shade-0: #2f5f84; --shade-1: #3c7cab; --shade-2: #559bcb; --shade-3: #7ab5dc; --shade-4: #a5d0ea; --shade-5: #d8edf8;
  }
}`;

const LAYOUT = `
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 22px; line-height: 1.3; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 8px; }
p { margin: 0 0 8px; }
.soft, .note { color: var(--soft); }
.note { font-size: 13px; margin: 8px 0 0; max-width: 90ch; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; padding: 0; }
.facts div { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 10px 14px; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 0; font-size: 21px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.facts dd small { font-size: 13px; color: var(--soft); }
.plots { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
figure, section { margin: 0; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 16px; min-width: 0; }
.wide, section { grid-column: 1 / -1; }
details > figure { margin-top: 8px; }
details h2 { display: none; }
summary { cursor: pointer; color: var(--soft); padding: 2px 16px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; list-style: none; margin: 0 0 8px; padding: 0; font-size: 13px; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; background: var(--own); }
svg { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
.timeline { min-width: 760px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: 4px 10px; white-space: nowrap; }
thead { color: var(--soft); }
thead tr:first-child th { font-weight: normal; padding-bottom: 0; }
thead tr:last-child th { border-bottom: 1px solid var(--edge); }
tbody tr + tr td { border-top: 1px solid var(--grid); }
.best td { background: var(--best); font-weight: 600; }
.name { text-align: left; overflow: hidden; text-overflow: ellipsis; max-width: 340px; }
@media (max-width: 760px) {
  main { padding: 16px 12px 32px; }
  .plots { grid-template-columns: minmax(0, 1fr); }
  .facts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .facts dd { font-size: 18px; }
  figure, section { padding: 12px; }
}`;

const DRAWING = `
svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
svg .label { fill: var(--ink); }
svg .lane { fill: var(--ink); font-size: 13px; }
svg .below { font-size: 11px; }
.grid { stroke: var(--grid); fill: none; }
.axis, .base { stroke: var(--soft); fill: none; opacity: .6; }
.line { stroke: var(--own); stroke-width: 2.25; fill: none; stroke-linejoin: round; }
.dot { fill: var(--own); stroke: var(--card); stroke-width: 1.5; }
.fill { fill: var(--own); shape-rendering: crispEdges; }
.load { fill: var(--grid); opacity: .6; }
g:hover > .fill, .fill:hover, .dot:hover { filter: brightness(1.18); }
@media print { figure, section { break-inside: avoid; } }`;

const OWN_COLOURS: readonly string[] = [
  ...['decode', 'hash', 'write', 'wait', 'rest', 'commit', 'narinfo', 'nar', 'download'],
  ...[0, 1, 2, 3, 4, 5].map((shade) => `shade-${shade}`),
];

/** The contents of a style element. */
export const STYLE: Markup = new Markup(
  [COLOURS, LAYOUT, DRAWING, ...OWN_COLOURS.map((name) => `.${name} { --own: var(--${name}); }`)].join('\n'),
);
