import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuilderLog } from '../../src/build/builder-log.ts';
import type { Notice } from '../../src/pool/messages.ts';

test('lines are told together, phases in their place, and the last ones kept', () => {
  const notices: Notice[] = [];
  const log = new BuilderLog({ tell: (notice) => notices.push(notice), tailLines: 2, onFull: () => {} });
  log.push(Buffer.from('a\nb\n@nix {"action":"setPhase","phase":"buildPhase"}\nc\n@nix nonsense\n'));
  log.push(Buffer.from('@nix {"action":"msg","level":3,"msg":"d\\ne"}\n'));
  log.finish();
  assert.deepEqual(notices, [
    { kind: 'log', lines: ['a', 'b'] },
    { kind: 'phase', phase: 'buildPhase' },
    { kind: 'log', lines: ['c', '@nix nonsense', 'd', 'e'] },
  ]);
  assert.deepEqual(log.tail, ['d', 'e']);
});

test('who prints faster than anybody reads is stopped until a while is over', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const full: boolean[] = [];
  const log = new BuilderLog({ tell: () => {}, tailLines: 1, onFull: (is) => full.push(is) });
  for (let line = 0; line < 11; line++) log.push(Buffer.from(`${'x'.repeat(99_999)}\n`.repeat(1)));
  assert.ok(full.length > 0 && full.every((is) => is));
  context.mock.timers.tick(50);
  assert.equal(full.at(-1), false);
});
