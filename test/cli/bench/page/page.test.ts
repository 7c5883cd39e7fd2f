import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { renderPage } from '../../../../src/cli/bench/page/page.ts';
import type { Step } from '../../../../src/cli/bench/records.ts';
import { madeUpReport, madeUpStep, madeUpTransfer } from '../made-up.ts';

const many = Array.from({ length: 40 }, (_, index) =>
  madeUpTransfer({ name: `path-${index}`, thread: index % 2, started: 100 + 3 * index }),
);
const STEPS = [madeUpStep(1), madeUpStep(16, many), madeUpStep(64)];
const page = renderPage(madeUpReport(STEPS), STEPS);
const VOID = new Set(['meta']);

/** Throws where elements are not closed in the order in which they were opened. */
function checkNesting(html: string): void {
  const open: string[] = [];
  const text = html.replace(/<!doctype html>|<style>.*?<\/style>/gs, '');
  for (const [tag, end, name] of text.matchAll(/<(\/?)([a-zA-Z0-9]+)(?:\s+[\w-]+="[^"<>]*")*\s*\/?>/g)) {
    if (tag.endsWith('/>') || VOID.has(name!)) continue;
    if (end === '') open.push(name!);
    else assert.equal(open.pop(), name, `at ${tag}`);
  }
  assert.deepEqual(open, []);
  const rest = text.replace(/<\/?[a-zA-Z0-9]+(?:\s+[\w-]+="[^"<>]*")*\s*\/?>/g, '');
  assert.doesNotMatch(rest, /[<>]/, 'all that looks like a tag is one');
}

describe('the page', () => {
  test('closes what it opens', () => checkNesting(page));

  test('needs nothing but itself', () => {
    assert.doesNotMatch(
      page,
      /<(?:script|link|img|iframe|object|embed|base)\b|\b(?:src|href|srcset|action)=|url\(|@import/i,
    );
    assert.match(page, /default-src 'none'/);
  });

  test('shows the numbers of every step, and marks the best', () => {
    const rows = [...page.matchAll(/<tr( class="best")?><td>(\d+)<\/td>/g)].map(([, best, step]) => [step, !!best]);
    assert.deepEqual(rows, [
      ['1', false],
      ['16', true],
      ['64', false],
    ]);
  });

  test('has axes with units, and titles to hover over', () => {
    for (const label of ['MiB/s', 'narinfos/s', 'milliseconds, logarithmic', '% of queries answered', 'at once']) {
      assert.match(page, new RegExp(`<text class="label"[^>]*>${label}</text>`));
    }
    assert.match(page, /<title>16 at once: 800 MiB\/s unpacked \(NAR\)<\/title>/);
    assert.match(page, /<title>16 at once: 90 % within 9\.00 ms<\/title>/);
    assert.match(page, /<title>path-3: 4\.0 MiB of NAR, 1\.0 MiB downloaded\nwait 20\.0 ms, decode 30\.0 ms, /);
    assert.match(page, /<title>registered 1 path in 5\.00 ms<\/title>/);
    assert.match(page, /<title>at 6\.75 ms: 1\.0 narinfos under way<\/title>/);
  });

  test('has a lane for each thread, under the queries and above the commits', () => {
    const lanes = [...page.matchAll(/<text class="lane"[^>]*>([^<]+)</g)].map(([, lane]) => lane);
    assert.deepEqual(lanes.slice(0, 4), ['narinfos', 'thread 1', 'thread 2', 'commits']);
  });

  test('has no number in it that is none', () => assert.doesNotMatch(page, /NaN|Infinity|undefined/));

  test('escapes what comes from outside', () => {
    const evil = `"><script>alert('1')</script>`;
    const steps = [madeUpStep(1)];
    const machine = { node: evil, platform: evil, processor: evil, cores: 1 };
    const html = renderPage(madeUpReport(steps, { store: `https://${evil}`, date: evil, machine }), steps);
    assert.doesNotMatch(html, /<script/);
    checkNesting(html);
  });
});

const UNUSUAL: readonly (readonly [string, Step])[] = [
  ['nothing was transferred', { ...madeUpStep(1), transfers: undefined }],
  [
    'one query was answered at once',
    {
      ...madeUpStep(1),
      narinfos: { started: 5, ended: 5, queries: [{ started: 5, ended: 5, found: true }] },
      transfers: undefined,
    },
  ],
  ['nothing was written', { ...madeUpStep(1), transfers: { ...madeUpStep(1).transfers!, commits: [] } }],
  ['a transfer took no time', madeUpStep(1, [madeUpTransfer({ wait: 0, unpack: 0, decode: 0, hash: 0, write: 0 })])],
];
for (const [what, step] of UNUSUAL) {
  test(`a page is drawn where ${what}`, () => {
    const html = renderPage(madeUpReport([step]), [step]);
    checkNesting(html);
    assert.doesNotMatch(html, /NaN|Infinity|undefined/);
  });
}

test('of many transfers the longest are drawn, and the page says so', () => {
  const transfers = Array.from({ length: 3_500 }, (_, index) =>
    madeUpTransfer({ name: `n${index}`, thread: index % 8, started: 100 + index, unpack: index === 7 ? 500 : 5 }),
  );
  const step = madeUpStep(64, transfers);
  const html = renderPage(madeUpReport([step]), [step]);
  assert.match(html, /Drawn are the 3,000 longest of 3,500 transfers\./);
  assert.match(html, /<title>n7: /);
});
